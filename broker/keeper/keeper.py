"""Keeper: keeps a fresh credential in every slot. One flight a slot, one timer loop.

The decisions are in `core.refresh`; this file starts what they ask for and keeps what comes back. A renewal
that fails is news, not an outage: the old credential stays until its own end. Read `run`, then
`keeper/schedule.py` and `keeper/single_flight.py`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from broker.core.credential import Credential
from broker.core.failures import NotNeeded, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.refresh import (
    RENEWALS_PER_S,
    Moment,
    RefreshNow,
    RefreshPolicy,
    Reject,
    Serve,
    WaitUntil,
    can_wait,
    next_step,
    on_lookup,
    turn_in_s,
)
from broker.core.verdict import Verdict, refusal_of, usable_credential
from broker.host.clock import NAP_S, Clock
from broker.keeper.provider_guard import ProviderGuard
from broker.keeper.renewal_policy import RenewalPolicies
from broker.keeper.schedule import Schedule
from broker.keeper.single_flight import SingleFlight
from broker.keeper.slot_table import SlotEntry, SlotTable
from broker.keeper.verification import Verifier, Verify, may_verify_unasked
from broker.providers.protocol import Provider

BACKGROUND_FLIGHTS = 8
"""So many renewals are started by the timer at once (parallel `az` calls time out); look-ups never queue."""


class Keeper:
    """Keeps a fresh credential in every slot that a feed of the table needs.

    `draw` gives jitter in [0, 1); `verify_at` asks a feed whether it accepts a credential. All methods belong
    to the event loop's thread.
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
    ) -> None:
        self.clock = clock
        self.slot_table = SlotTable(table, clock.now())
        self.policies = policies
        self._poked = asyncio.Event()
        self._single_flight = SingleFlight(
            ProviderGuard(providers),
            clock=clock,
            policy_of=self._policy_of,
            draw=draw,
            landed=self._land,
            ended=self._poked.set,
        )
        self._verifier = Verifier(verify_at, clock, tell=self._tell, fetch=self._single_flight.start)
        self._turned = False
        self._schedule = Schedule()
        self._round_due = clock.now()
        self._started: deque[Moment] = deque(maxlen=RENEWALS_PER_S)
        self._listeners: set[Callable[[Feed], None]] = set()

    # Questions

    def held(self, match: Match, now: Moment) -> Credential | None:
        """The credential to answer with at once, or None when the look-up has to wait (`credential_for`).

        Starts a renewal that is due, and the verification at a feed that had none.
        `now` is the caller's reading of `clock`: who answers in microseconds reads it once.
        """
        entry = self.slot_table.of(match, now)
        entry.used = now
        entry.asked.add(match.feed.name)
        verification = entry.verifications.get(match.feed.name)
        credential = usable_credential(entry.slot, verification, now)
        if credential is None:
            return None
        if verification is None:
            self._verifier.start(entry, match.feed)
        if entry.slot.last_failure is None and entry.slot.is_due(now):
            self._single_flight.start(entry)
        return credential

    async def credential_for(self, match: Match, wait_s: float) -> Credential:
        """The match's credential, waiting at most `wait_s` seconds for the flight under way or a new one.

        Raises NotObtained: the reason that is known, the flight's failure, or that the wait was too short.
        """
        credential = self.held(match, self.clock.now())
        if credential is not None:
            return credential
        entry = self.slot_table.of(match, self.clock.now())
        step = on_lookup(entry.slot, self.clock.now(), watched=entry.fingerprint is not None)
        if isinstance(step, Serve):
            return await self._reconsidered(entry, match.feed, step.credential, wait_s)
        if isinstance(step, Reject) and isinstance(step.failure, NotNeeded) and match.feed != entry.feed:
            entry.feed = match.feed  # one that is public says nothing of another that shares its slot
        elif (
            isinstance(step, Reject)
            and entry.flight is None
            and self._single_flight.guard.fingerprint(entry.feed) == entry.fingerprint
        ):
            raise step.failure
        flight = self._single_flight.start(entry)
        await asyncio.wait({flight}, timeout=wait_s)
        credential = entry.slot.live(self.clock.now())
        if credential is not None:
            return credential
        if flight.cancelled():
            raise Unavailable(f"the fetch for {match.key.realm} was given up", hint="brokerctl status")
        failure = flight.result() if flight.done() else None
        raise failure or Unavailable(f"no answer for {match.key.realm} within {wait_s:.0f} s, still trying")

    async def _reconsidered(
        self, entry: SlotEntry, feed: Feed, credential: Credential, wait_s: float
    ) -> Credential:
        """A live credential that the feed turned down: tried again when that is some time ago, and fetched
        anew where a secret may have been replaced.
        """
        verification, begun = entry.verifications.get(feed.name), self.clock.now()
        is_old = verification is not None and verification.wants_repeating(begun)
        fingerprint = self._single_flight.guard.fingerprint(entry.feed)
        is_replaced = is_old if fingerprint is None else fingerprint != entry.fingerprint
        if is_replaced and refusal_of(verification) is not None:
            flight = self._single_flight.start(entry)
            await asyncio.wait({flight}, timeout=wait_s)
            failure = flight.result() if flight.done() and not flight.cancelled() else None
            if failure is not None:
                raise failure
        if is_old or is_replaced or feed.name in entry.verifying:
            left_s = max(0.0, wait_s - (self.clock.now().boot_s - begun.boot_s))
            verification = await self._verifier.verdict(entry, feed, left_s)
        refusal = refusal_of(verification)
        if refusal is not None:
            raise refusal
        return entry.slot.live(self.clock.now()) or credential

    # Orders

    async def refresh(self, match: Match) -> Credential:
        """Fetch a new credential now and wait for it; raises NotObtained when that fails."""
        now = self.clock.now()
        entry = self.slot_table.of(match, now)
        entry.used = now
        flight = self._single_flight.start(entry)
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
        await asyncio.gather(
            *(self._single_flight.start_again(entry) for entry in self.slot_table.of_realm(realm))
        )

    def forget_realm(self, realm: Realm) -> None:
        """Drop every credential of the realm; the next question fetches anew."""
        self._drop(self.slot_table.of_realm(realm))

    async def verdict(self, match: Match) -> Verdict:
        """What the feed says to the credential that is held for it, asked now."""
        entry = self.slot_table.of(match, self.clock.now())
        verification = await self._verifier.verdict(entry, match.feed)
        return Verdict.UNKNOWN if verification is None else verification.verdict

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

    def adopt(self, table: FeedTable, providers: Mapping[str, Provider], policies: RenewalPolicies) -> None:
        """Go on with another configuration. Feeds that did not change keep their tokens, unless the secret or
        sign-in behind one has changed.
        """
        self._single_flight.guard, self.policies = ProviderGuard(providers), policies
        self.slot_table.adopt(table, self.clock.now())
        self._round_due = self.clock.now()
        self._poked.set()

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
        while True:
            self._poked.clear()
            wait_s = self._turn()
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

    def _turn(self) -> float:
        """Start what is due and return the seconds until the next thing will be."""
        now = self.clock.now()
        if self._round_due.reached(now):
            self._round_due = now.after(NAP_S)
            self._schedule.clear()
            for entry in self.slot_table:
                self._look_at(entry, now, fingerprint=True)
        else:
            for entry in self._schedule.due(now):
                self._look_at(entry, now)
        return min(self._round_due.left_s(now), self._schedule.left_s(now), self._serve_line(now))

    def _serve_line(self, now: Moment) -> float:
        """Start who is first in line while there is room; returns the seconds until the next one's turn."""
        while self._single_flight.under_way < BACKGROUND_FLIGHTS:
            entry = self._schedule.first_in_line()
            if entry is None:
                break
            turn_s = turn_in_s(entry.slot, self._started, now)
            if turn_s > 0:
                return turn_s
            self._started.append(now)
            self._single_flight.start(entry)
        return NAP_S  # or until a flight ends

    def _look_at(self, entry: SlotEntry, now: Moment, *, fingerprint: bool = False) -> None:
        """Say what changed with an entry, and put its next step on the agenda."""
        if self.slot_table.is_gone(entry, now):
            self.slot_table.remove(entry)
            return
        self._announce(entry, now)
        if not entry.wanted or entry.flight is not None:
            return
        step = next_step(entry.slot, self._policy_of(entry.feed), now, entry.used)
        is_news = fingerprint and self._single_flight.guard.fingerprint(entry.feed) != entry.fingerprint
        if is_news or isinstance(step, RefreshNow):
            self._schedule.line_up(entry, can_wait=can_wait(entry.slot, now))
        elif isinstance(step, WaitUntil) and step.moment.left_s(now) < NAP_S:
            self._schedule.look_at(entry, step.moment, now)

    def _policy_of(self, feed: Feed) -> RefreshPolicy:
        return self.policies.of(feed)  # those in force now

    def _land(self, entry: SlotEntry) -> None:
        """Tell the feeds of a new credential, and put the entry's next step on the agenda."""
        if entry.slot.last_failure is None:
            # where the last one was tried; the same as before may have been revoked meanwhile
            for name in dict.fromkeys((entry.feed.name, *entry.verifications)):
                feed = self.slot_table.named(name)
                if feed is not None and may_verify_unasked(feed, asked=name in entry.asked):
                    self._verifier.start(entry, feed)
        self._look_at(entry, self.clock.now())

    def _announce(self, entry: SlotEntry, now: Moment) -> None:
        """Tell the listeners when an entry's state is another than the one last shown."""
        state = entry.slot.state(now)
        if state is not entry.shown:
            entry.shown, entry.since = state, now.wall
            for feed in self.slot_table.sharing(entry.slot.key):
                self._tell(feed)

    def _tell(self, feed: Feed) -> None:
        for listener in tuple(self._listeners):
            listener(feed)

    def _drop(self, slot_table: Iterable[SlotEntry]) -> None:
        now = self.clock.now()
        for entry in slot_table:
            entry.drop()
            self._announce(entry, now)
