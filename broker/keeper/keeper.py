"""Keeper: keeps a fresh credential in every slot. One flight a slot, one timer loop.

The decisions are in `core.refresh`; this file starts what they ask for and keeps what comes back. A renewal
that fails is news, not an outage: the old credential stays until its own end. Read `run`, then
`keeper/schedule.py` and `keeper/single_flight.py`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from broker.core.credential import Credential
from broker.core.failures import NotNeeded, NotObtained, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.refresh import (
    AWAITED_S,
    RENEWALS_PER_S,
    Moment,
    RefreshNow,
    RefreshPolicy,
    Reject,
    Slot,
    WaitUntil,
    awaits_person,
    can_wait,
    next_step,
    on_lookup,
    turn_in_s,
)
from broker.core.time_jump import has_jumped
from broker.core.verdict import RETRY_S, Verdict, Verification, refusal_of, usable_credential
from broker.host.clock import AFTER_DEFECT_S, NAP_S, Clock, nap_or
from broker.keeper.defect_log import DefectLog
from broker.keeper.provider_guard import BesideTheLoop, ProviderGuard, at_once
from broker.keeper.recheck import Recheck
from broker.keeper.renewal_policy import RenewalPolicies
from broker.keeper.schedule import Schedule
from broker.keeper.single_flight import SingleFlight
from broker.keeper.slot_table import SlotEntry, SlotPlan, SlotTable
from broker.keeper.verification import Verifier, Verify, may_verify_unasked
from broker.providers.protocol import Provider

log = logging.getLogger("broker.keeper")

ROUND_AT_ONCE = 500
"""So many entries of a round are looked at before look-ups have their turn: a few milliseconds' worth."""

BACKGROUND_FLIGHTS = 8
"""So many renewals are started by the timer at once (parallel `az` calls time out); look-ups never queue."""


class Keeper:
    """Keeps a fresh credential in every slot that a feed of the table needs.

    `draw` gives jitter in [0, 1); `verify_at` asks a feed whether it accepts a credential, and `judged` hears
    what it says; `aside` looks at files. All methods belong to the event loop's thread.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        table: FeedTable,
        providers: Mapping[str, Provider],
        policies: RenewalPolicies,
        verify_at: Verify,
        draw: Callable[[], float],
        judged: Callable[[Feed, Verdict], None] = lambda _feed, _verdict: None,
        aside: BesideTheLoop = at_once,
    ) -> None:
        self.clock = clock
        self.slot_table = SlotTable(table, clock.now())
        self.policies = policies
        self._poked = asyncio.Event()
        self._single_flight = SingleFlight(
            ProviderGuard(providers, aside),
            clock=clock,
            policy_of=self._policy_of,
            draw=draw,
            landed=self._land,
            ended=self._poked.set,
        )
        self._verifier = Verifier(
            verify_at, clock, judged=judged, tell=self._tell, fetch=self._single_flight.start
        )
        self._recheck = Recheck(self.slot_table, self._verifier, clock)
        self._turned = False
        self._schedule = Schedule()
        self._round: Iterator[SlotEntry] = iter(())
        self._defects = DefectLog(log)
        self._round_due = self._looked = clock.now()
        self._slept_s = NAP_S
        self._started: deque[Moment] = deque(maxlen=RENEWALS_PER_S)
        self._listeners: set[Callable[[Feed], None]] = set()

    # Questions

    def held(self, match: Match, now: Moment) -> Credential | None:
        """The credential to answer with at once, or None when the look-up has to wait (`credential_for`).

        Starts a renewal that is due, and tries a credential that was not tried lately at its feed.
        `now` is the caller's reading of `clock`: who answers in microseconds reads it once.
        """
        entry, feed = self.slot_table.of(match, now), match.feed
        entry.used = now
        entry.last_asked = entry.asked[feed.name] = feed
        verification = entry.verifications.get(feed.name)
        credential = usable_credential(entry.slot, verification, now)
        if credential is None:
            return None
        if verification is None:
            self._verifier.start(entry, feed)
        elif now.boot_s - entry.tried_s >= RETRY_S:
            self._verifier.try_in_use(entry, now)
        if entry.slot.last_failure is None and entry.slot.is_due(now):
            self._single_flight.start(entry)
        return credential

    async def credential_for(self, match: Match, wait_s: float) -> Credential:
        """The match's credential, waiting at most `wait_s` seconds for the flight under way or a new one.

        One that its feed turned down counts as none. Raises NotObtained: the reason that is known, the
        flight's failure, the feed's refusal, or that the wait was too short.
        """
        begun = self.clock.now()
        credential = self.held(match, begun)
        if credential is not None:
            return credential
        entry = self.slot_table.of(match, begun)
        if entry.slot.live(begun) is None:
            return await self._fetched(entry, match, wait_s)
        if match.feed.name not in entry.verifying:
            verification = entry.verifications[match.feed.name]
            refusal = None if verification.held is not entry.slot.held else verification.refusal
            stands = refusal is not None and not await self._may_have_changed(entry, verification)
            if verification.held is entry.slot.held:  # else the feed was asked about another
                if refusal is not None and stands:
                    raise refusal
                await self._fetched(entry, match, wait_s)
                credential = self.held(match, self.clock.now())
                if credential is not None:
                    return credential
        left_s = max(0.0, wait_s - (self.clock.now().boot_s - begun.boot_s))
        verdict = await self._verifier.verdict(entry, match.feed, left_s)
        credential = usable_credential(entry.slot, verdict, self.clock.now())
        if credential is None:
            raise refusal_of(verdict) or Unavailable("the feed does not accept the token that is held (401)")
        return credential

    async def _fetched(self, entry: SlotEntry, match: Match, wait_s: float) -> Credential:
        """What the flight under way or a new one brings; raises NotObtained, which may be a known reason."""
        before, known = entry.slot, entry.fingerprint
        asked = replace(before, held=None)  # what is live was turned down, or this would not be asked
        step = on_lookup(asked, self.clock.now(), watched=known is not None)
        if isinstance(step, Reject) and isinstance(step.failure, NotNeeded) and match.feed != entry.feed:
            entry.feed = match.feed  # one that is public says nothing of another that shares its slot
        elif isinstance(step, Reject) and entry.flight is None:
            is_same = await self._fingerprint_of(entry) == known
            if entry.slot is not before and entry.slot != Slot(
                entry.slot.key
            ):  # a flight has landed meanwhile
                return self._outcome(entry)  # of a flight that has landed meanwhile
            if is_same and entry.flight is None:
                raise step.failure
        flight = self._single_flight.start(entry)
        await asyncio.wait({flight}, timeout=wait_s)
        if not flight.done():
            raise Unavailable(f"no answer for {match.key.realm} within {wait_s:.0f} s, still trying")
        if flight.cancelled():
            raise Unavailable(f"the fetch for {match.key.realm} was given up", hint="brokerctl status")
        return self._outcome(entry, flight.result())

    def _outcome(self, entry: SlotEntry, failure: NotObtained | None = None) -> Credential:
        """What a flight brought; raises `failure`, else the one that the slot knows."""
        credential, last = entry.slot.live(self.clock.now()), entry.slot.last_failure
        failure = failure or (None if last is None else last.failure)
        if failure is not None:
            raise failure
        if credential is None:
            raise Unavailable(f"the credential for {entry.slot.key.realm} was dropped meanwhile")
        return credential

    async def _may_have_changed(self, entry: SlotEntry, verification: Verification) -> bool:
        """True for a refusal of some time ago, or where the secret was replaced since."""
        known = entry.fingerprint
        fingerprint = await self._fingerprint_of(entry)
        is_replaced = fingerprint is not None and fingerprint != known
        return is_replaced or verification.wants_repeating(self.clock.now())

    async def _fingerprint_of(self, entry: SlotEntry) -> Hashable:
        return await self._single_flight.guard.fingerprint(entry.feed, entry.fingerprint)

    def awaits_person(self, feed: Feed | None = None) -> bool:
        """True while a person probably brings what the feed misses, or any feed."""
        now, own = self.clock.now(), None if feed is None else self.slot_table.holding(feed)
        entries = self.slot_table if feed is None else () if own is None else (own,)
        return any(awaits_person(entry.slot, now, entry.used) for entry in entries)

    # Orders

    async def refresh(self, match: Match) -> Credential:
        """Fetch a new credential now and wait for it; raises NotObtained when that fails."""
        now = self.clock.now()
        entry = self.slot_table.of(match, now)
        entry.used = now
        flight = self._single_flight.start(entry)
        await asyncio.wait({flight})
        return self._outcome(entry, None if flight.cancelled() else flight.result())

    async def renew_realm(self, realm: Realm) -> None:
        """Fetch every credential of a realm now, and wait until each attempt has ended, well or not.

        What is under way already has begun before whatever makes this necessary, and is followed by another.
        """
        await asyncio.gather(
            *(self._single_flight.start_again(entry) for entry in self.slot_table.of_realm(realm))
        )

    def forget_realm(self, realm: Realm) -> None:
        """Drop every credential of the realm; the next question fetches anew."""
        self._drop(self.slot_table.of_realm(realm))

    async def verify(self, match: Match) -> Verdict:
        """What the feed says, asked now, to the credential that is held for it, or after a 401 to a new one.

        Raises NotObtained: why there is none, or the feed's refusal.
        """
        entry = self.slot_table.of(match, self.clock.now())
        known = entry.verifications.get(match.feed.name)
        is_over = (
            known is not None and known.refusal is not None and await self._may_have_changed(entry, known)
        )
        if is_over or entry.slot.live(self.clock.now()) is None:
            verification = await self._fetched_and_tried(entry, match)
        else:
            verification = await self._verifier.verdict(entry, match.feed)
        if verification is not None and verification.wants_fetch:
            verification = await self._fetched_and_tried(entry, match)
        refusal = refusal_of(verification)
        if refusal is not None:
            raise refusal
        return Verdict.UNKNOWN if verification is None else verification.verdict

    async def _fetched_and_tried(self, entry: SlotEntry, match: Match) -> Verification | None:
        """What the feed says to a new credential, which is tried once; raises NotObtained without one."""
        await self.refresh(match)
        verification = entry.verifications.get(match.feed.name)
        if verification is not None and verification.held is entry.slot.held:
            return verification  # it has landed, and was tried already
        return await self._verifier.verdict(entry, match.feed)

    def last_verdict(self, match: Match) -> Verdict:
        """What the feed said when it was last asked."""
        verification = self.slot_table.of(match, self.clock.now()).verifications.get(match.feed.name)
        return Verdict.UNKNOWN if verification is None else verification.verdict

    def is_flying(self, match: Match) -> bool:
        """True while a renewal of the match's credential is under way."""
        return self.slot_table.of(match, self.clock.now()).flight is not None

    def forget(self, feed: Feed) -> None:
        """Drop every credential of the feed, in all scopes; the next question fetches anew."""
        self._drop(self.slot_table.of_account(feed))

    def forget_all(self) -> None:
        """Drop every credential."""
        self._drop(self.slot_table)

    def planned(self, table: FeedTable) -> SlotPlan:
        """What `adopt` can do quickly with a large table; made in any thread, shortly before."""
        return self.slot_table.planned(table, self.clock.now())

    def adopt(
        self, table: FeedTable | SlotPlan, providers: Mapping[str, Provider], policies: RenewalPolicies
    ) -> None:
        """Go on with another configuration. Feeds that did not change keep their tokens, unless the secret or
        sign-in behind one has changed.
        """
        now, plan = self.clock.now(), table if isinstance(table, SlotPlan) else self.planned(table)
        self._single_flight.guard = self._single_flight.guard.with_providers(providers)
        self.policies = policies
        self.slot_table.adopt(plan)
        self._schedule.clear()
        self._round_due = now
        self._poked.set()

    def ground_moved(self, reason: str) -> None:
        """The network, the clock or the machine's sleep changed: try each token in use at its feed."""
        self._recheck.moved(reason)

    def close(self) -> None:
        """Cancel everything under way and forget everything."""
        for entry in self.slot_table:
            entry.drop()

    def subscribe(self, listener: Callable[[Feed], None]) -> Callable[[], None]:
        """Call `listener` with each feed whose state has changed; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    # The loop

    async def run(self) -> None:
        """Renew what is due, for ever: sleep until the earliest next step, or until poked."""
        rechecking = asyncio.create_task(self._recheck.run())
        try:
            while True:
                await self._turn_and_sleep()
        finally:
            rechecking.cancel()

    async def _turn_and_sleep(self) -> None:
        """One turn, whatever happens in it, and the sleep until the next."""
        self._poked.clear()
        wait_s = AFTER_DEFECT_S
        try:
            now = self.clock.now()
            if has_jumped(self._looked, self._slept_s, now):
                self._recheck.moved("clock")
            self._looked, self._slept_s = now, wait_s
            wait_s = self._slept_s = await self._turn()
            self._turned = True
            self._defects.past("turn")
        except Exception as defect:  # noqa: BLE001 - the next turn may do better
            self._defects.tell("turn", defect)
        defect_of_nap = await nap_or(self.clock, wait_s, self._poked)
        if defect_of_nap is not None:
            self._defects.tell("nap", defect_of_nap)

    def has_turned(self) -> bool:
        """True when the loop has turned since this was last asked; asks it to turn once more."""
        turned, self._turned = self._turned, False
        self._poked.set()
        return turned

    async def _turn(self) -> float:
        """Start what is due and return the seconds until the next thing will be."""
        now = self.clock.now()
        if self._round_due.reached(now):
            self._round_due = now.after(NAP_S)
            self._schedule.clear()
            self._round = iter(self.slot_table)
        at_once = list(islice(self._round, ROUND_AT_ONCE))
        due = list(self._schedule.due(now))
        awaited = [entry for entry in due if awaits_person(entry.slot, now, entry.used)]
        changed = await self._changed_of([*at_once, *awaited])
        for entry in (*at_once, *due):
            self._look_at(entry, now, is_changed=entry in changed)
        if len(at_once) == ROUND_AT_ONCE:
            self._poked.set()  # go on after whoever waits for the loop
        return min(self._round_due.left_s(now), self._schedule.left_s(now), self._serve_line(now))

    async def _changed_of(self, entries: Iterable[SlotEntry]) -> set[SlotEntry]:
        """Those of the entries whose secret or sign-in was replaced since they were last fetched."""
        asked = [(entry, entry.fingerprint) for entry in entries if entry.wanted and entry.flight is None]
        if not asked:
            return set()
        found = await self._single_flight.guard.fingerprints([(entry.feed, known) for entry, known in asked])
        return {
            entry
            for (entry, known), seen in zip(asked, found, strict=True)
            if seen != known and entry.fingerprint == known  # else it was fetched meanwhile
        }

    def _serve_line(self, now: Moment) -> float:
        """Start who is first in line while there is room; returns the seconds until the next one's turn."""
        while self._single_flight.under_way < BACKGROUND_FLIGHTS:
            entry = self._schedule.first_in_line()
            if entry is None:
                break
            try:
                turn_s = turn_in_s(entry.slot, self._started, now)
                if turn_s > 0:
                    return turn_s
                self._started.append(now)
                self._single_flight.start(entry)
            except Exception as defect:  # noqa: BLE001 - those behind it are not to wait for it
                self._schedule.skip_first()
                self._defects.tell(f"turn of {entry.slot.key.realm}", defect)
        return NAP_S  # or until a flight ends

    def _look_at(self, entry: SlotEntry, now: Moment, *, is_changed: bool = False) -> None:
        """Say what changed with an entry, and put its next step on the agenda. Never raises: the next round
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
        if self.slot_table.is_gone(entry, now):
            self.slot_table.remove(entry)
            return
        self._announce(entry, now)
        if not entry.wanted or entry.flight is not None:
            return
        step = next_step(entry.slot, self._policy_of(entry.feed), now, entry.used)
        if is_changed or isinstance(step, RefreshNow):
            self._schedule.line_up(entry, can_wait=can_wait(entry.slot, now))
        elif awaits_person(entry.slot, now, entry.used):
            self._schedule.look_at(entry, now.after(AWAITED_S), now)
        elif isinstance(step, WaitUntil) and step.moment.left_s(now) < NAP_S:
            self._schedule.look_at(entry, step.moment, now)

    def _policy_of(self, feed: Feed) -> RefreshPolicy:
        return self.policies.of(feed)  # those in force now

    def _land(self, entry: SlotEntry) -> None:
        """Tell the feeds of a new credential, and put the entry's next step on the agenda. Never raises."""
        try:
            if entry.slot.last_failure is None:
                # where the last one was tried; the same as before may have been revoked meanwhile
                for name in dict.fromkeys((entry.feed.name, *entry.verifications)):
                    feed = self.slot_table.named(name)
                    asked = name in entry.asked or name in entry.verifications
                    if feed is not None and may_verify_unasked(feed, asked=asked):
                        self._verifier.line_up(entry, feed)
            self._look_at(entry, self.clock.now())
        except Exception as defect:  # noqa: BLE001 - the next round looks at it again
            self._defects.tell(f"landing of {entry.slot.key.realm}", defect)

    def _announce(self, entry: SlotEntry, now: Moment) -> None:
        """Tell the listeners when an entry's state is another than the one last shown."""
        state = entry.slot.state(now)
        if state is not entry.shown:
            entry.shown, entry.since = state, now.wall
            for feed in self.slot_table.sharing(entry.slot.key):
                self._tell(feed)

    def _tell(self, feed: Feed) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(feed)
            except Exception as defect:  # noqa: BLE001 - what one cannot hear is news to the others
                self._defects.tell(f"listener {getattr(listener, '__qualname__', '')}", defect)

    def _drop(self, slot_table: Iterable[SlotEntry]) -> None:
        now = self.clock.now()
        for entry in slot_table:
            entry.drop()
            self._announce(entry, now)
