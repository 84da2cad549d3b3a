"""Keeper: keeps a fresh credential in every slot. One flight a slot, one timer loop.

The decisions are in `core.refresh`; this file starts what they ask for and keeps what comes back. A renewal
that fails is news, not an outage: the old credential stays until its own end. Read `run`, then `_fly`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from broker.core.credential import Credential
from broker.core.failures import NotNeeded, NotObtained, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.refresh import (
    RENEWALS_PER_S,
    Answer,
    Moment,
    RefreshNow,
    RefreshPolicy,
    Serve,
    Slot,
    WaitUntil,
    after_failure,
    after_success,
    next_step,
    on_lookup,
    turn_in_s,
)
from broker.core.status import rfc3339
from broker.core.trials import Verdict
from broker.entries import Entries, Entry
from broker.host.clock import NAP_S, Clock
from broker.providers.protocol import Provider
from broker.suppliers import Suppliers
from broker.trials import Trials, Try

BACKGROUND_FLIGHTS = 8
"""So many renewals are started by the timer at once (parallel `az` calls time out); look-ups never queue."""

LEARNED_IDLE_S = 12 * 3600.0
"""A learned feed that nobody asked for this long is not renewed any more."""

log = logging.getLogger("broker.keeper")


@dataclass(frozen=True, slots=True)
class Policies:
    """When to renew: configured feeds by one rule, learned ones by another."""

    configured: RefreshPolicy = field(default_factory=RefreshPolicy)
    learned: RefreshPolicy = field(default_factory=lambda: RefreshPolicy(idle_s=LEARNED_IDLE_S))

    def of(self, feed: Feed) -> RefreshPolicy:
        """The rule for a feed."""
        return self.configured if feed.configured else self.learned


class Keeper:
    """Keeps a fresh credential in every slot that a feed of the table needs.

    `draw` gives jitter in [0, 1); `try_at` asks a feed whether it accepts a credential. All methods belong to
    the event loop's thread.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        table: FeedTable,
        providers: Mapping[str, Provider],
        policies: Policies,
        try_at: Try,
        draw: Callable[[], float],
    ) -> None:
        self.clock = clock
        self.entries = Entries(table, clock.now())
        self.policies = policies
        self._suppliers = Suppliers(providers)
        self._trials = Trials(try_at, clock, tell=self._tell, fetch=self._start)
        self._draw = draw
        self._poked = asyncio.Event()
        self._turned = False
        self._marks_due = clock.now()
        self._started: deque[Moment] = deque(maxlen=RENEWALS_PER_S)
        self._listeners: set[Callable[[Feed], None]] = set()

    # Questions

    def held(self, match: Match) -> Credential | None:
        """The credential to answer with at once, or None when the question has to wait (`credential_for`).

        Starts what the question makes necessary: a renewal that is due, the trial at a feed that had none.
        """
        now = self.clock.now()
        entry = self.entries.of(match, now)
        entry.used = now
        step = on_lookup(entry.slot, now)
        if not isinstance(step, Serve):
            return None
        trial = entry.trials.get(match.feed.name)
        if trial is None:
            self._trials.start(entry, match.feed)
        elif trial.refusal is not None:
            return None
        if entry.slot.trouble is None and entry.slot.is_due(now):
            self._start(entry)
        return step.credential

    async def credential_for(self, match: Match, wait_s: float) -> Credential:
        """The match's credential, waiting at most `wait_s` seconds for the flight under way or a new one.

        Raises NotObtained: the reason that is known, the flight's failure, or that the wait was too short.
        """
        credential = self.held(match)
        if credential is not None:
            return credential
        entry = self.entries.of(match, self.clock.now())
        step = on_lookup(entry.slot, self.clock.now(), watched=entry.marks is not None)
        if isinstance(step, Serve):
            return await self._reconsidered(entry, match.feed, step.credential, wait_s)
        if isinstance(step, Answer) and isinstance(step.failure, NotNeeded) and match.feed != entry.feed:
            entry.feed = match.feed  # one that is public says nothing of another that shares its slot
        elif (
            isinstance(step, Answer)
            and entry.flight is None
            and self._suppliers.marks(entry.feed) == entry.marks
        ):
            raise step.failure
        flight = self._start(entry)
        await asyncio.wait({flight}, timeout=wait_s)
        credential = entry.slot.live(self.clock.now())
        if credential is not None:
            return credential
        if flight.cancelled():
            raise Unavailable(f"the fetch for {match.key.realm} was given up", hint="brokerctl status")
        failure = flight.result() if flight.done() else None
        raise failure or Unavailable(f"no answer for {match.key.realm} within {wait_s:.0f} s, still trying")

    async def _reconsidered(
        self, entry: Entry, feed: Feed, credential: Credential, wait_s: float
    ) -> Credential:
        """A live credential that the feed turned down: tried again when that is some time ago, and fetched
        anew where a secret may have been replaced.
        """
        trial, begun = entry.trials.get(feed.name), self.clock.now()
        is_old = trial is not None and trial.wants_repeating(begun)
        marks = self._suppliers.marks(entry.feed)
        is_replaced = is_old if marks is None else marks != entry.marks
        if trial is not None and trial.refusal is not None and is_replaced:
            flight = self._start(entry)
            await asyncio.wait({flight}, timeout=wait_s)
            failure = flight.result() if flight.done() and not flight.cancelled() else None
            if failure is not None:
                raise failure
        if is_old or is_replaced or feed.name in entry.trying:
            left_s = max(0.0, wait_s - (self.clock.now().boot_s - begun.boot_s))
            trial = await self._trials.verdict(entry, feed, left_s)
        if trial is not None and trial.refusal is not None:
            raise trial.refusal
        return entry.slot.live(self.clock.now()) or credential

    # Orders

    async def refresh(self, match: Match) -> Credential:
        """Fetch a new credential now and wait for it; raises NotObtained when that fails."""
        now = self.clock.now()
        entry = self.entries.of(match, now)
        entry.used = now
        flight = self._start(entry)
        await asyncio.wait({flight})
        failure = None if flight.cancelled() else flight.result()
        if failure is not None:
            raise failure
        credential = entry.slot.live(self.clock.now())
        if credential is None:
            raise Unavailable(f"the credential for {match.key.realm} was dropped meanwhile")
        return credential

    async def renew_realm(self, realm: Realm) -> None:
        """Fetch every credential of a realm now, and wait until each attempt has ended, well or not.

        What is under way already has begun before whatever makes this necessary, and is followed by another.
        """
        await asyncio.gather(*(self._fly_again(entry) for entry in self.entries.of_realm(realm)))

    def forget_realm(self, realm: Realm) -> None:
        """Drop every credential of the realm; the next question fetches anew."""
        self._drop(self.entries.of_realm(realm))

    async def verdict(self, match: Match) -> Verdict:
        """What the feed says to the credential that is held for it, asked now."""
        entry = self.entries.of(match, self.clock.now())
        trial = await self._trials.verdict(entry, match.feed)
        return Verdict.UNKNOWN if trial is None else trial.verdict

    def is_flying(self, match: Match) -> bool:
        """True while a renewal of the match's credential is under way."""
        return self.entries.of(match, self.clock.now()).flight is not None

    def forget(self, feed: Feed) -> None:
        """Drop every credential of the feed, in all scopes; the next question fetches anew."""
        self._drop(self.entries.of_account(feed))

    def forget_all(self) -> None:
        """Drop every credential."""
        self._drop(self.entries)

    def adopt(self, table: FeedTable, providers: Mapping[str, Provider], policies: Policies) -> None:
        """Go on with another configuration. Feeds that did not change keep their tokens, unless the secret or
        sign-in behind one has changed.
        """
        self._suppliers, self.policies = Suppliers(providers), policies
        self.entries.adopt(table, self.clock.now())
        self._marks_due = self.clock.now()
        self._poked.set()

    def close(self) -> None:
        """Cancel everything under way and forget everything."""
        for entry in self.entries:
            entry.drop()

    def subscribe(self, listener: Callable[[Feed], None]) -> Callable[[], None]:
        """Call `listener` with each feed whose state has changed; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    # The loop

    async def run(self) -> None:
        """Renew what is due, for ever: sleep until the earliest next step, or until poked."""
        while True:
            self._poked.clear()
            wait_s = self._sweep()
            self._turned = True
            nap = asyncio.ensure_future(self.clock.nap(wait_s))
            poke = asyncio.ensure_future(self._poked.wait())
            try:
                await asyncio.wait({nap, poke}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                nap.cancel()
                poke.cancel()

    def has_turned(self) -> bool:
        """True when the loop has turned since this was last asked; asks it to turn once more."""
        turned, self._turned = self._turned, False
        self._poked.set()
        return turned

    def _sweep(self) -> float:
        """Start what is due and return the seconds until the next thing will be."""
        now = self.clock.now()
        wait_s = NAP_S
        room = BACKGROUND_FLIGHTS - sum(entry.flight is not None for entry in self.entries)
        look_at_marks = self._marks_due.reached(now)
        if look_at_marks:
            self._marks_due = now.after(NAP_S)
        for entry in self.entries:
            if self.entries.is_gone(entry, now):
                self.entries.remove(entry)
                continue
            self._announce(entry, now)
            if not entry.wanted or entry.flight is not None:
                continue
            step = next_step(entry.slot, self.policies.of(entry.feed), now, entry.used)
            if isinstance(step, WaitUntil):
                wait_s = min(wait_s, step.moment.left_s(now))
            news = look_at_marks and self._suppliers.marks(entry.feed) != entry.marks
            if news or isinstance(step, RefreshNow):
                turn_s = turn_in_s(entry.slot, self._started, now)
                if room <= 0 or turn_s > 0:
                    wait_s = min(wait_s, turn_s or NAP_S)
                    self._marks_due = now if news else self._marks_due  # it is news until it is started
                    continue
                self._started.append(now)
                self._start(entry)
                room -= 1
        return wait_s

    # Flights

    def _start(self, entry: Entry) -> "asyncio.Task[NotObtained | None]":
        """The flight under way, or a new one: never two for one slot."""
        if entry.flight is None:
            entry.wanted = True
            entry.flight = asyncio.create_task(self._fly(entry))
        return entry.flight

    async def _fly_again(self, entry: Entry) -> None:
        if entry.flight is not None:
            await asyncio.wait({entry.flight})
        await asyncio.wait({self._start(entry)})

    async def _fly(self, entry: Entry) -> NotObtained | None:
        """Obtain once and put the outcome into the slot; returns the failure, if it was one."""
        begun = self.clock.now()
        entry.fetches += 1
        outcome = await self._suppliers.obtain(entry.feed, entry.slot.key.scope)
        now = self.clock.now()
        if isinstance(outcome, Credential):
            slot = after_success(entry.slot, outcome, self.policies.of(entry.feed), now, self._draw())
        else:
            slot = after_failure(entry.slot, outcome, now, self._draw())
        # Looked at after the attempt: what our own call changed in the sign-in tool's files is not news.
        entry.marks = self._suppliers.marks(entry.feed)
        entry.flight = None
        self._put(entry, slot, begun, now)
        return slot.trouble.failure if slot.trouble is not None else None

    def _put(self, entry: Entry, slot: Slot, begun: Moment, now: Moment) -> None:
        """Keep the new slot; say in the log what changed, and to the feeds what is new."""
        before, entry.slot = entry.slot, slot
        realm, scope, took_ms = slot.key.realm, slot.key.scope, (now.boot_s - begun.boot_s) * 1000
        if slot.trouble is not None:
            entry.failed_fetches += 1
            if before.trouble is None or str(before.trouble.failure) != str(slot.trouble.failure):
                reason = slot.trouble.failure
                log.warning(
                    "renewal_failed realm=%s scope=%s took_ms=%.0f: %s", realm, scope, took_ms, reason
                )
        elif slot.held is not None:
            end = slot.held.credential.expires_at
            ends = "never" if end is None else rfc3339(end)
            log.info("renewed realm=%s scope=%s expires_at=%s took_ms=%.0f", realm, scope, ends, took_ms)
            for feed in self.entries.feeds():
                self._trials.start_where_wanted(entry, feed)
        self._announce(entry, now)
        self._poked.set()

    def _announce(self, entry: Entry, now: Moment) -> None:
        """Tell the listeners when an entry's state is another than the one last shown."""
        state = entry.slot.state(now)
        if state is not entry.shown:
            entry.shown, entry.since = state, now.wall
            for feed in self.entries.feeds():
                if feed.key() == entry.slot.key:
                    self._tell(feed)

    def _tell(self, feed: Feed) -> None:
        for listener in tuple(self._listeners):
            listener(feed)

    def _drop(self, entries: Iterable[Entry]) -> None:
        now = self.clock.now()
        for entry in entries:
            entry.drop()
            self._announce(entry, now)
