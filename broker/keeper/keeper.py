"""Keeper: answers from a fresh credential in every slot, and takes orders. One flight a slot.

The decisions are in `core.refresh`; what is due without a look-up is started by `keeper/renewal_loop.py`. A
renewal that fails is news, not an outage: the old credential stays until its own end.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace

from broker.core.credential import Credential
from broker.core.failures import NotNeeded, NotObtained, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.moment import Moment
from broker.core.refresh import (
    Join,
    RefreshPolicy,
    Reject,
    Serve,
    Slot,
    awaits_person,
    on_lookup,
)
from broker.core.verdict import FeedAnswer, Verdict, Verification, refusal_of, usable_credential
from broker.host.clock import Clock
from broker.keeper.defect_log import DefectLog
from broker.keeper.provider_guard import BesideTheLoop, ProviderGuard, at_once
from broker.keeper.recheck import Recheck
from broker.keeper.renewal_loop import RenewalLoop
from broker.keeper.renewal_policy import RenewalPolicies
from broker.keeper.single_flight import SingleFlight
from broker.keeper.slot_entry import SlotEntry
from broker.keeper.slot_table import SlotPlan, SlotTable
from broker.keeper.state_news import StateNews
from broker.keeper.verification import Verifier, Verify, may_verify_unasked
from broker.providers.protocol import Provider

log = logging.getLogger("broker.keeper")


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
        poked, defects = asyncio.Event(), DefectLog(log)
        self.news = StateNews(self.slot_table, defects)
        self._defects = defects
        self._single_flight = SingleFlight(
            ProviderGuard(providers, aside),
            clock=clock,
            policy_of=self._policy_of,
            draw=draw,
            landed=self._land,
            ended=poked.set,
        )
        self._verifier = Verifier(
            verify_at, clock, judged=judged, tell=self.news.tell, fetch=self._fetch_another
        )
        self._recheck = Recheck(self.slot_table, self._verifier, clock)
        self.loop = RenewalLoop(
            self.slot_table,
            self._single_flight,
            self._recheck,
            self.news,
            clock=clock,
            policy_of=self._policy_of,
            poked=poked,
            defects=defects,
        )

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
        elif entry.next_try is None:
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
        before, known, step = entry.slot, entry.fingerprint, self._step_without_token(entry)
        if isinstance(step, Reject) and isinstance(step.failure, NotNeeded) and match.feed != entry.feed:
            entry.feed = match.feed  # one that is public says nothing of another that shares its slot
        elif isinstance(step, Reject) and entry.flight is None:
            is_same = await self._fingerprint_of(entry) == known
            if entry.slot is not before and entry.slot != Slot(entry.slot.key):
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

    def _step_without_token(self, entry: SlotEntry) -> Serve | Join | Reject:
        """What a look-up does that what is held is no use to: a feed has turned it down, or it has ended."""
        slot = replace(entry.slot, held=None)
        return on_lookup(slot, self.clock.now(), watched=entry.fingerprint is not None)

    def _fetch_another(self, entry: SlotEntry) -> None:
        """Fetch in place of what a feed turned down: as soon as a look-up may, and by itself no sooner."""
        if isinstance(self._step_without_token(entry), Join):
            self._single_flight.start(entry)

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

    def last_answer(self, match: Match) -> FeedAnswer:
        """What the feed said when it was last asked, be it nothing."""
        verification = self.slot_table.of(match, self.clock.now()).verifications.get(match.feed.name)
        return FeedAnswer(Verdict.UNKNOWN) if verification is None else verification.answer

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
        plan = table if isinstance(table, SlotPlan) else self.planned(table)
        self._single_flight.guard = self._single_flight.guard.with_providers(providers)
        self.policies = policies
        self.slot_table.adopt(plan)
        self.loop.begin_round()

    def ground_moved(self, reason: str) -> None:
        """The network, the clock or the machine's sleep changed: try each token in use at its feed."""
        self._recheck.moved(reason)

    def close(self) -> None:
        """Cancel everything under way and forget everything."""
        for entry in self.slot_table:
            entry.drop()

    def _policy_of(self, feed: Feed) -> RefreshPolicy:
        return self.policies.of(feed)  # those in force now

    def _land(self, entry: SlotEntry) -> None:
        """Tell the feeds of a new credential, and schedule the entry's next step. Never raises."""
        try:
            if entry.slot.last_failure is None:
                # where the last one was tried; the same as before may have been revoked meanwhile
                for name in dict.fromkeys((entry.feed.name, *entry.verifications)):
                    feed = self.slot_table.named(name)
                    asked = name in entry.asked or name in entry.verifications
                    if feed is not None and may_verify_unasked(feed, asked=asked):
                        self._verifier.line_up(entry, feed)
            self.loop.look_at(entry, self.clock.now())
        except Exception as defect:  # noqa: BLE001 - the next round looks at it again
            self._defects.tell(f"landing of {entry.slot.key.realm}", defect)

    def _drop(self, entries: Iterable[SlotEntry]) -> None:
        now = self.clock.now()
        for entry in entries:
            entry.drop()
            self.news.announce(entry, now)
