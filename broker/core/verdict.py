"""Whether feeds accept what is held for them: a new credential is tried once, one in use again and again.

No client ever says that a credential was turned down, so trying it is the only way to learn it. An expiry is
an upper bound: servers end tokens early (revocation, a removed right, a policy, Continuous Access Evaluation
after a change of network). A 403 is a missing right. A 401 makes the credential worthless at that feed and
asks for one new fetch; a 401 to what came of it is a no. Everything else proves nothing.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from broker.core.credential import Credential
from broker.core.failures import Refused
from broker.core.feeds import Feed
from broker.core.moment import Moment
from broker.core.refresh import HOLD_REFUSED_S, Held, Slot

UNVERIFIED = "verify = false"
"""The line of a feed whose tokens are not tried."""

RETRY_S = 15.0
"""A credential in use is tried again at its feed after this time at the earliest."""


class Verdict(Enum):
    """What a feed said to a credential."""

    ACCEPTED = auto()
    UNAUTHORISED = auto()
    FORBIDDEN = auto()
    UNKNOWN = auto()

    @property
    def is_rejection(self) -> bool:
        """True where the feed said no."""
        return self in {Verdict.UNAUTHORISED, Verdict.FORBIDDEN}

    @property
    def word(self) -> str:
        """The verdict as status, metrics and events show it: accepted, rejected or unknown."""
        return "rejected" if self.is_rejection else self.name.lower()


@dataclass(frozen=True, slots=True)
class FeedAnswer:
    """What a feed said when it was asked once; `claims` is what a 401 wants a new token to say.

    `said` is its answer in a few words, `unasked` why there was none that is its own; neither has a secret.
    """

    verdict: Verdict
    claims: str | None = None
    said: str | None = None
    unasked: str | None = None

    @property
    def words(self) -> str:
        """The answer as a person reads it."""
        match self.verdict:
            case Verdict.ACCEPTED:
                return "the feed takes it"
            case Verdict.UNAUTHORISED:
                return f"the feed said {self.said or 401}: it does not take it"
            case Verdict.FORBIDDEN:
                return f"the feed said {self.said or '403: the right to read it is missing'}"
        if self.unasked is not None:
            return f"the feed could not be asked: {self.unasked}"
        if self.said is not None:
            return f"the feed said {self.said}, which is neither yes nor no"
        return "the feed could not be asked, or said neither yes nor no"


@dataclass(frozen=True, slots=True)
class Verification:
    """What one feed last said to `held`; `refusal` is None unless it was a no for good.

    `tried` is the last attempt, `answer` what it brought, `said` when there last was a yes or a no, `claims`
    what it then wanted.
    """

    held: Held
    tried: Moment
    verdict: Verdict
    refusal: Refused | None = None
    said: Moment | None = None
    claims: str | None = None
    answer: FeedAnswer = FeedAnswer(Verdict.UNKNOWN)

    @property
    def wants_fetch(self) -> bool:
        """True for a 401 that may be over with a newly fetched credential."""
        return self.verdict is Verdict.UNAUTHORISED and self.refusal is None

    def wants_repeating(self, now: Moment) -> bool:
        """True for a refusal old enough that the right may have been granted meanwhile."""
        return self.refusal is not None and self.tried.after(HOLD_REFUSED_S).reached(now)


def usable_credential(slot: Slot, verification: Verification | None, now: Moment) -> Credential | None:
    """The credential that answers a look-up for a feed now; None where it would have to wait or fail.

    It is held, not past its own end, and the feed, by its last `verification`, did not turn it down.
    Look-ups, status and counts all ask this.
    """
    credential = slot.live(now)
    if verification is None:
        return credential
    if verification.refusal is not None or is_rejected(verification, credential):
        return None
    return credential


def is_rejected(verification: Verification | None, credential: Credential | None) -> bool:
    """True when the feed's last word to this very credential was a 401."""
    return (
        verification is not None
        and verification.verdict is Verdict.UNAUTHORISED
        and verification.held.credential == credential
    )


def claims_for(verifications: Iterable[Verification], slot: Slot) -> str | None:
    """What the next credential has to say, by the last 401 to the one that is held; None for nothing."""
    held = None if slot.held is None else slot.held.credential
    wanting = [one for one in verifications if one.claims is not None and is_rejected(one, held)]
    return max(wanting, key=lambda one: one.tried.boot_s).claims if wanting else None


def refusal_of(verification: Verification | None) -> Refused | None:
    """Why the feed refused the credential, where it was tried and refused."""
    return None if verification is None else verification.refusal


def judge(
    feed: Feed, held: Held, answer: FeedAnswer, before: Verification | None, now: Moment
) -> Verification:
    """The verification of what is held, `before` being the feed's last one.

    UNKNOWN proves nothing: what was said to the same credential stands. A first UNAUTHORISED asks for a new
    fetch; one to what that fetch brought, be it the same again, is a refusal.
    """
    verdict = answer.verdict
    if verdict is Verdict.UNKNOWN:
        if before is not None and before.held.credential == held.credential:
            return replace(before, held=held, tried=now, answer=answer)
        return Verification(held, now, verdict, answer=answer)
    refusal = _refusal(feed, held, answer, before)
    return Verification(held, now, verdict, refusal, said=now, claims=answer.claims, answer=answer)


def _refusal(feed: Feed, held: Held, answer: FeedAnswer, before: Verification | None) -> Refused | None:
    credential, verdict = held.credential, answer.verdict
    theirs = f"the credential of {credential.account}" if credential.account else "the credential"
    if verdict is Verdict.FORBIDDEN:
        who = credential.account or f"the credential from {credential.source}"
        told = f"{who} has no right to read this feed (403): ask its owner for the reader role"
        if answer.said is not None:
            told = f"the feed refuses {theirs} ({answer.said}): ask its owner about that"
        once_granted = shlex.join(("brokerctl", "refresh", feed.name))
        return Refused(told + _otherwise(feed), hint=once_granted)
    if verdict is not Verdict.UNAUTHORISED or before is None or before.verdict is not Verdict.UNAUTHORISED:
        return None
    if before.held is held:
        return before.refusal
    said = answer.said or "401"
    hint = credential.replacing or shlex.join(("brokerctl", "explain", str(feed.url)))
    if credential.manual_renewal is not None:
        refused = f"the feed does not accept {theirs} ({said}): {credential.manual_renewal}"
        return Refused(refused + _otherwise(feed), hint=hint)
    if answer.claims is not None:
        wanted = f"the feed wants claims that {theirs} from {credential.source} does not have ({said})"
        return Refused(wanted, hint=hint)
    refused = f"the feed does not accept {theirs} from {credential.source}"
    return Refused(f"{refused} ({said}), not even a newly fetched one{_otherwise(feed)}", hint=hint)


def _otherwise(feed: Feed) -> str:
    """What else a no may mean: that only the page where tokens are tried is closed."""
    return f", or add {UNVERIFIED} to its [[feed]] if clients are served all the same" * feed.may_serve_below
