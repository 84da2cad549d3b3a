"""The loop that renews what is due, without being asked.

A round looks at every slot each half minute; what is due between two rounds is in `keeper/schedule.py`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from broker.core.feeds import Feed
from broker.core.moment import Moment
from broker.core.refresh import (
    AWAITED_S,
    RENEWALS_PER_S,
    RefreshNow,
    RefreshPolicy,
    WaitUntil,
    awaits_person,
    can_wait,
    next_step,
    turn_in_s,
)
from broker.core.time_jump import has_jumped
from broker.host.clock import AFTER_DEFECT_S, NAP_S, Clock, nap_or
from broker.keeper.defect_log import DefectLog
from broker.keeper.recheck import Recheck
from broker.keeper.schedule import Schedule
from broker.keeper.single_flight import SingleFlight
from broker.keeper.slot_entry import SlotEntry
from broker.keeper.slot_table import SlotTable
from broker.keeper.state_news import StateNews

ROUND_AT_ONCE = 500
"""So many entries of a round are looked at before look-ups have their turn: a few milliseconds' worth."""

BACKGROUND_FLIGHTS = 8
"""So many renewals are started by the timer at once (parallel `az` calls time out); look-ups never queue."""


class RenewalLoop:
    """Starts the flights of what is due, as `core.refresh` decides, a few at a time; `poked` wakes it."""

    def __init__(
        self,
        slot_table: SlotTable,
        flights: SingleFlight,
        recheck: Recheck,
        news: StateNews,
        *,
        clock: Clock,
        policy_of: Callable[[Feed], RefreshPolicy],
        poked: asyncio.Event,
        defects: DefectLog,
    ) -> None:
        self._slot_table = slot_table
        self._flights = flights
        self._recheck = recheck
        self._news = news
        self._clock = clock
        self._policy_of = policy_of
        self._poked = poked
        self._defects = defects
        self._turned = False
        self._schedule = Schedule()
        self._round: Iterator[SlotEntry] = iter(())
        self._round_due = self._looked = clock.now()
        self._slept_s = NAP_S
        self._started: deque[Moment] = deque(maxlen=RENEWALS_PER_S)

    async def run(self) -> None:
        """Renew what is due, for ever: sleep until the earliest next step, or until poked."""
        rechecking = asyncio.create_task(self._recheck.run())
        try:
            while True:
                await self._turn_and_sleep()
        finally:
            rechecking.cancel()

    def begin_round(self) -> None:
        """Look at every entry as soon as possible: the table is another."""
        self._schedule.clear()
        self._round_due = self._clock.now()
        self._poked.set()

    async def _turn_and_sleep(self) -> None:
        """One turn, whatever happens in it, and the sleep until the next."""
        self._poked.clear()
        wait_s = AFTER_DEFECT_S
        try:
            now = self._clock.now()
            if has_jumped(self._looked, self._slept_s, now):
                self._recheck.moved("clock")
            self._looked, self._slept_s = now, wait_s
            wait_s = self._slept_s = await self._turn()
            self._turned = True
            self._defects.past("turn")
        except Exception as defect:  # noqa: BLE001 - the next turn may do better
            self._defects.tell("turn", defect)
        defect_of_nap = await nap_or(self._clock, wait_s, self._poked)
        if defect_of_nap is not None:
            self._defects.tell("nap", defect_of_nap)

    def has_turned(self) -> bool:
        """True when the loop has turned since this was last asked; asks it to turn once more."""
        turned, self._turned = self._turned, False
        self._poked.set()
        return turned

    async def _turn(self) -> float:
        """Start what is due and return the seconds until the next thing will be."""
        now = self._clock.now()
        if self._round_due.reached(now):
            self._round_due = now.after(NAP_S)
            self._schedule.clear()
            self._round = iter(self._slot_table)
        at_once = list(islice(self._round, ROUND_AT_ONCE))
        due = list(self._schedule.due(now))
        awaited = [entry for entry in due if awaits_person(entry.slot, now, entry.used)]
        changed = await self._changed_of([*at_once, *awaited])
        for entry in (*at_once, *due):
            self.look_at(entry, now, is_changed=entry in changed)
        if len(at_once) == ROUND_AT_ONCE:
            self._poked.set()  # go on after whoever waits for the loop
        return min(self._round_due.left_s(now), self._schedule.left_s(now), self._serve_line(now))

    async def _changed_of(self, entries: Iterable[SlotEntry]) -> set[SlotEntry]:
        """Those of the entries whose secret or sign-in was replaced since they were last fetched."""
        asked = [(entry, entry.fingerprint) for entry in entries if entry.wanted and entry.flight is None]
        if not asked:
            return set()
        found = await self._flights.guard.fingerprints([(entry.feed, known) for entry, known in asked])
        return {
            entry
            for (entry, known), seen in zip(asked, found, strict=True)
            if seen != known and entry.fingerprint == known  # else it was fetched meanwhile
        }

    def _serve_line(self, now: Moment) -> float:
        """Start who is first in line while there is room; returns the seconds until the next one's turn."""
        while self._flights.under_way < BACKGROUND_FLIGHTS:
            entry = self._schedule.first_in_line()
            if entry is None:
                break
            try:
                turn_s = turn_in_s(entry.slot, self._started, now)
                if turn_s > 0:
                    return turn_s
                self._started.append(now)
                self._flights.start(entry)
            except Exception as defect:  # noqa: BLE001 - those behind it are not to wait for it
                self._schedule.skip_first()
                self._defects.tell(f"turn of {entry.slot.key.realm}", defect)
        return NAP_S  # or until a flight ends

    def look_at(self, entry: SlotEntry, now: Moment, *, is_changed: bool = False) -> None:
        """Say what changed with an entry, and schedule its next step. Never raises: the next round
        looks at it again.
        """
        if entry.gone:
            return
        try:
            self._take_next_step(entry, now, is_changed=is_changed)
            if self._defects:  # no words are made where none was told
                self._defects.past(f"next step of {entry.slot.key.realm}")
        except Exception as defect:  # noqa: BLE001 - one entry's defect is not the others'
            self._defects.tell(f"next step of {entry.slot.key.realm}", defect)

    def _take_next_step(self, entry: SlotEntry, now: Moment, *, is_changed: bool) -> None:
        if self._slot_table.is_gone(entry, now):
            self._slot_table.remove(entry)
            return
        self._news.announce(entry, now)
        if not entry.wanted or entry.flight is not None:
            return
        step = next_step(entry.slot, self._policy_of(entry.feed), now, entry.used)
        if is_changed or isinstance(step, RefreshNow):
            self._schedule.line_up(entry, can_wait=can_wait(entry.slot, now))
        elif awaits_person(entry.slot, now, entry.used):
            self._schedule.look_at(entry, now.after(AWAITED_S), now)
        elif isinstance(step, WaitUntil) and step.moment.left_s(now) < NAP_S:
            self._schedule.look_at(entry, step.moment, now)
