"""When a credential is renewed, served and given up: Slot, State and the decisions about them.

Every decision takes the present as an argument and never draws a random number: jitter is drawn by the
keeper when a slot changes and stored in it, so that the same question always has the same answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from broker.core import need
from broker.core.credential import Credential
from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import SlotKey
from broker.core.moment import Moment

MARGIN_S = 300.0
MARGIN_SHARE = 0.1
"""A token is replaced min(5 min, 10 % of its life) before its own end."""

SPREAD_SHARE = 0.1
"""Up to this share of the wait is taken off by jitter, so that tokens fetched together part company."""

RENEWALS_PER_S = 5
"""No more of all slots' renewals are started in any second, so that no service sees a crowd."""

LEISURE_S = 60.0
"""A token that ends within this time is renewed without queueing for its turn."""

WAIT_MIN_S = 1.0
"""No two renewals of one slot are closer than this, whatever a provider hands out."""

UNKNOWN_END_S = 300.0
"""A token of a tool that does not say when it ends is asked for again after this: unknown is not endless."""

AGAIN_MIN_S = 30.0
"""An early renewal that got the same token asks again at half of what is left, but not before this."""

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 300.0
"""Retries double from 1 s to 5 min. A token that is still served is no reason to hurry: a look-up tries by
itself when there is none, and a fleet that asks each minute keeps its service down (`bench/fleet.py`).
"""

RETRY_JITTER = 0.2
"""A retry comes up to 20 % earlier."""

RETRY_AFTER_JITTER = 1.0
"""A retry that a service named the time of comes up to as long again later: thousands that were sent away in
one second shall not come back in one. A look-up tries at the time that was named.
"""

RETRY_AFTER_MAX_S = 3600.0
"""A service's Retry-After is obeyed up to an hour; beyond that it is more likely wrong than meant."""

REFUSED_FIRST_S = 300.0
REFUSED_MAX_S = 3600.0
"""A definite no is asked again after 5 min, then up to hourly: rights are granted by people."""

HOLD_FAILING_S = 5.0
HOLD_REFUSED_S = 30.0
"""Within this time of a failed attempt its reason answers the next look-ups; after it they try anew."""


AWAITED_S = 2.0
AWAITED_FOR_S = 600.0
"""What only a person can bring is looked for this often, so long after it was missed or asked for: somebody
may be typing it. Later it is noticed with everything else, each half minute.
"""


class State(StrEnum):
    """How a slot's renewal is doing. Whether a look-up would be answered is another question: `Slot.live`."""

    EMPTY = need.EMPTY
    FRESH = "fresh"
    DUE = "due"
    EXPIRED = "expired"
    FAILING = "failing"
    REFUSED = "refused"
    SIGN_IN_NEEDED = need.SIGN_IN_NEEDED


@dataclass(frozen=True, slots=True)
class Held:
    """A credential in hand: when it came, when to ask for the next, when it ends (None: never)."""

    credential: Credential
    obtained: Moment
    due: Moment
    ends: Moment | None


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The last attempt's failure: since when it has been going on, and when to try again by ourselves."""

    failure: NotObtained
    at: Moment
    attempts: int
    retry: Moment | None


@dataclass(frozen=True, slots=True)
class Slot:
    """All that is known of one credential. The keeper replaces it and never changes it."""

    key: SlotKey
    held: Held | None = None
    last_failure: LastFailure | None = None

    def live(self, now: Moment) -> Credential | None:
        """The credential that may be handed out now: held, and not past its own end."""
        if self.held is None or (self.held.ends is not None and self.held.ends.reached(now)):
            return None
        return self.held.credential

    def left_s(self, now: Moment) -> float | None:
        """Seconds until the end of what is held; None where nothing is held or it has no end."""
        return None if self.held is None or self.held.ends is None else self.held.ends.left_s(now)

    def is_due(self, now: Moment) -> bool:
        """True when what is held should be replaced."""
        return self.held is not None and self.held.due.reached(now)

    def state(self, now: Moment) -> State:
        """How the renewal is doing: the last failure's word first, then the credential's age."""
        match self.last_failure:
            case LastFailure(failure=SignInNeeded()):
                return State.SIGN_IN_NEEDED
            case LastFailure(failure=Refused()):
                return State.REFUSED
            case LastFailure():
                return State.FAILING
        if self.held is None:
            return State.EMPTY
        if self.live(now) is None:
            return State.EXPIRED
        return State.DUE if self.is_due(now) else State.FRESH


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """`ttl_s`: a credential is replaced at this age at the latest. `idle_s`: renewal stops when no look-up
    came for this long; None: never.
    """

    ttl_s: float = 3000.0
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class RefreshNow:
    """Start a renewal."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to do before this moment."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do until a look-up or a sign-in."""


@dataclass(frozen=True, slots=True)
class Serve:
    """Answer with this credential at once."""

    credential: Credential


@dataclass(frozen=True, slots=True)
class Join:
    """Wait for the renewal under way, or start one."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Answer with the failure that is known."""

    failure: NotObtained


def next_step(
    slot: Slot, policy: RefreshPolicy, now: Moment, last_used: Moment
) -> RefreshNow | WaitUntil | Rest:
    """What the keeper should do for a slot by itself, the last look-up being at `last_used`."""
    if policy.idle_s is not None and last_used.after(policy.idle_s).reached(now):
        return Rest()
    if slot.last_failure is not None:
        due = slot.last_failure.retry
    elif slot.held is not None:
        due = slot.held.due
    else:
        return RefreshNow()
    if due is None:
        return Rest()
    return RefreshNow() if due.reached(now) else WaitUntil(due)


def awaits_person(slot: Slot, now: Moment, last_used: Moment) -> bool:
    """True while a person probably acts on what is missing: a secret, a sign-in."""
    failed = slot.last_failure
    if failed is None or not isinstance(failed.failure, SignInNeeded):
        return False
    return not all(since.after(AWAITED_FOR_S).reached(now) for since in (failed.at, last_used))


def can_wait(slot: Slot, now: Moment) -> bool:
    """False for a renewal that is pressing: there is no token, or it ends soon."""
    held = slot.held
    return held is not None and (held.ends is None or held.ends.left_s(now) > LEISURE_S)


def turn_in_s(slot: Slot, started: Sequence[Moment], now: Moment) -> float:
    """Seconds until it is this slot's turn to be renewed; `started` are the latest renewals, in their order.

    Zero where nothing can wait.
    """
    if len(started) < RENEWALS_PER_S or not can_wait(slot, now):
        return 0.0
    return started[-RENEWALS_PER_S].after(1.0).left_s(now)


def on_lookup(slot: Slot, now: Moment, *, watched: bool = True) -> Serve | Join | Reject:
    """How a question is answered. A live credential wins, whatever became of its renewal.

    `watched`: a new sign-in would be noticed by itself, which is the only reason not to try one now.
    """
    credential = slot.live(now)
    if credential is not None:
        return Serve(credential)
    if slot.last_failure is None:
        return Join()
    match slot.last_failure.failure:
        case SignInNeeded():
            held = watched or not slot.last_failure.at.after(HOLD_REFUSED_S).reached(now)
        case Refused():
            held = not slot.last_failure.at.after(HOLD_REFUSED_S).reached(now)
        case Unavailable(retry_after_s=seconds) if seconds is not None:
            told_s = max(HOLD_FAILING_S, min(seconds, RETRY_AFTER_MAX_S))  # at least, or each look-up asks
            held = not slot.last_failure.at.after(told_s).reached(now)
        case _:
            held = not slot.last_failure.at.after(HOLD_FAILING_S).reached(now)
    return Reject(slot.last_failure.failure) if held else Join()


def after_success(
    slot: Slot, credential: Credential, policy: RefreshPolicy, now: Moment, jitter: float
) -> Slot:
    """The slot that holds the new credential; `jitter` in [0, 1) was drawn for it.

    A credential that has already ended is a failed attempt: some tools hand out what they have cached, and
    people forget what they have stored.
    """
    life_s = None
    if credential.expires_at is not None:
        life_s = (credential.expires_at - now.wall).total_seconds()
        if life_s <= 0:
            return after_failure(slot, _ended(credential, credential.expires_at), now, jitter)
    wait_s = min(policy.ttl_s, UNKNOWN_END_S) if credential.is_end_unknown else policy.ttl_s
    if life_s is not None:
        same = slot.held is not None and slot.held.credential == credential
        own_s = (
            max(life_s / 2, min(AGAIN_MIN_S, life_s))
            if same
            else life_s - min(MARGIN_S, MARGIN_SHARE * life_s)
        )
        wait_s = min(wait_s, own_s)
    wait_s = max(WAIT_MIN_S, wait_s * (1 - SPREAD_SHARE * jitter))
    return Slot(
        slot.key,
        Held(
            credential,
            obtained=now,
            due=now.after(wait_s),
            ends=None if life_s is None else now.after(life_s),
        ),
    )


def _ended(credential: Credential, at: datetime) -> NotObtained:
    """The failure for a credential that has ended already: a person must act where no provider renews it."""
    if credential.manual_renewal is not None:
        return SignInNeeded(
            f"the secret from {credential.source} ended on {at:%Y-%m-%d}: {credential.manual_renewal}",
            hint=credential.replacing,
        )
    return Unavailable(f"{credential.source} handed out a token that had already ended")


def after_failure(slot: Slot, failure: NotObtained, now: Moment, jitter: float) -> Slot:
    """The slot after a failed attempt: what it held stays, unless the failure says that it is worthless."""
    attempts = 1 + (slot.last_failure.attempts if slot.last_failure is not None else 0)
    held = slot.held
    match failure:
        case SignInNeeded(drops_token=drops_token):
            retry_s = None
            held = None if drops_token else held
        case Refused():
            retry_s = _doubled(REFUSED_FIRST_S, attempts, REFUSED_MAX_S)
        case Unavailable(retry_after_s=seconds) if seconds is not None:
            told_s = min(seconds, RETRY_AFTER_MAX_S) * (1 + RETRY_AFTER_JITTER * jitter)
            retry_s = max(told_s, _doubled(RETRY_FIRST_S, attempts, RETRY_MAX_S))
        case _:
            retry_s = _doubled(RETRY_FIRST_S, attempts, RETRY_MAX_S) * (1 - RETRY_JITTER * jitter)
    retry = None if retry_s is None else now.after(retry_s)
    return replace(slot, held=held, last_failure=LastFailure(failure, now, attempts, retry))


def _doubled(first_s: float, attempts: int, longest_s: float) -> float:
    return min(longest_s, first_s * 2.0 ** min(attempts - 1, 20))
