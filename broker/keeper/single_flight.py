"""SingleFlight: one attempt each to obtain an entry's credential, never two for one entry.

A flight belongs to its entry, not to its caller: one that goes away does not end the wait of others. Whatever
is raised in it becomes its slot's failure.
"""

import asyncio
import logging
from collections.abc import Callable

from broker.core.credential import Credential
from broker.core.failures import NotObtained
from broker.core.feeds import Feed
from broker.core.moment import Moment
from broker.core.refresh import RefreshPolicy, Slot, after_failure, after_success
from broker.core.status import rfc3339
from broker.core.verdict import claims_for
from broker.host.clock import Clock
from broker.keeper.defect_log import DefectLog
from broker.keeper.provider_guard import ProviderGuard, broken
from broker.keeper.slot_entry import SlotEntry

Flight = asyncio.Task[NotObtained | None]
"""Its result is the failure, if it was one."""

log = logging.getLogger("broker.keeper")  # a name that users filter by


class SingleFlight:
    """Starts flights, and puts what they bring into their entries; `landed` hears of each entry then,
    and never raises.

    `draw` gives jitter in [0, 1). `under_way` counts; `ended` is called when one less is.
    """

    def __init__(
        self,
        guard: ProviderGuard,
        *,
        clock: Clock,
        policy_of: Callable[[Feed], RefreshPolicy],
        draw: Callable[[], float],
        landed: Callable[[SlotEntry], None],
        ended: Callable[[], None],
    ) -> None:
        self.guard = guard
        self.under_way = 0
        self._clock = clock
        self._policy_of = policy_of
        self._draw = draw
        self._landed = landed
        self._ended = ended
        self._latest = clock.now()
        self._defects = DefectLog(log)

    def start(self, entry: SlotEntry) -> Flight:
        """The flight under way, or a new one."""
        if entry.flight is None:
            entry.wanted = True
            entry.flight = asyncio.create_task(self._fly(entry))
            entry.flight.add_done_callback(self._end)
            self.under_way += 1
        return entry.flight

    async def start_again(self, entry: SlotEntry) -> None:
        """Wait for one that begins now or later, whatever is under way already."""
        if entry.flight is not None:
            await asyncio.wait({entry.flight})
        await asyncio.wait({self.start(entry)})

    def _end(self, _: object) -> None:
        self.under_way -= 1
        self._ended()

    async def _fly(self, entry: SlotEntry) -> NotObtained | None:
        """One attempt. However it ends, the entry is without a flight then, and its slot says how it went."""
        flight = asyncio.current_task()
        entry.fetches += 1
        before, begun = entry.slot, self._now()
        try:
            known = await self.guard.fingerprint(entry.feed, entry.fingerprint)
            outcome = await self.guard.obtain(
                entry.feed, entry.slot.key.scope, claims_for(entry.verifications.values(), entry.slot)
            )
            found = await self.guard.fingerprint(entry.feed, known)
            before = _still(entry, flight)
            entry.slot = self._landing(entry, outcome)
            # A change meanwhile came too late for this attempt, or is our own call's in the sign-in tool's
            # files: one more attempt takes it up, and no third.
            is_late = found != known and not entry.was_late
            entry.fingerprint, entry.was_late = known if is_late else found, is_late
            entry.has_succeeded = entry.has_succeeded or entry.slot.held is not None
        except Exception as defect:  # noqa: BLE001 - whatever it is, it is this slot's failure
            before = _still(entry, flight)
            failed = broken(self._defects.tell(f"{before.key.realm}", defect))
            entry.slot = after_failure(before, failed, self._now(), 0.0)
        else:
            self._defects.past(f"{before.key.realm}")
        finally:
            if entry.flight is flight:
                entry.flight = None
        failure = entry.slot.last_failure.failure if entry.slot.last_failure is not None else None
        entry.failed_fetches += failure is not None
        try:
            _report(before, entry.slot, took_ms=(self._now().boot_s - begun.boot_s) * 1000)
        except Exception as defect:  # noqa: BLE001 - what was fetched is good, whatever cannot be said of it
            self._defects.tell(f"after the flight for {before.key.realm}", defect)
        self._landed(entry)
        return failure

    def _landing(self, entry: SlotEntry, outcome: Credential | NotObtained) -> Slot:
        now = self._now()
        if isinstance(outcome, Credential):
            return after_success(entry.slot, outcome, self._policy_of(entry.feed), now, self._draw())
        return after_failure(entry.slot, outcome, now, self._draw())

    def _now(self) -> Moment:
        """The present; where the clock has a defect, the last time it told."""
        try:
            self._latest = self._clock.now()
        except Exception as defect:  # noqa: BLE001 - a flight ends with or without a clock
            self._defects.tell("clock", defect)
        return self._latest


def _still(entry: SlotEntry, flight: object) -> Slot:
    """The slot that the flight is for. A flight that its entry gave up meanwhile lands nowhere."""
    if entry.flight is not flight:
        raise asyncio.CancelledError
    return entry.slot


def _report(before: Slot, slot: Slot, took_ms: float) -> None:
    """Say in the log what changed; a failure that goes on is said once."""
    realm, scope = slot.key.realm, slot.key.scope
    if slot.last_failure is not None:
        reason = slot.last_failure.failure
        if before.last_failure is None or str(before.last_failure.failure) != str(reason):
            log.warning("renewal_failed realm=%s scope=%s took_ms=%.0f: %s", realm, scope, took_ms, reason)
    elif slot.held is not None:
        end = slot.held.credential.expires_at
        ends = "never" if end is None else rfc3339(end)
        log.info("renewed realm=%s scope=%s expires_at=%s took_ms=%.0f", realm, scope, ends, took_ms)
