"""Whether feeds accept what we hold for them: each new credential is tried once, in the background.

No client ever says that a credential was turned down, so this is the only way to learn it. A 403 is a missing
right; a first 401 may be a token revoked early and asks for one new fetch, a second one is a no.
Unreachable proves nothing.
"""

from dataclasses import dataclass
from enum import Enum, auto

from broker.core.credential import Credential
from broker.core.failures import Refused
from broker.core.refresh import HOLD_REFUSED_S, Moment, Slot


class Verdict(Enum):
    """What a feed said to a credential."""

    ACCEPTED = auto()
    UNAUTHORISED = auto()
    FORBIDDEN = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of the last attempt at one feed; `refusal` is None unless the feed said no for good."""

    credential: Credential
    at: Moment
    verdict: Verdict
    refusal: Refused | None

    def wants_repeating(self, now: Moment) -> bool:
        """True for a refusal old enough that the right may have been granted meanwhile."""
        return self.refusal is not None and self.at.after(HOLD_REFUSED_S).reached(now)


def usable_credential(slot: Slot, verification: Verification | None, now: Moment) -> Credential | None:
    """The credential that answers a look-up for a feed now; None where it would have to wait or fail.

    It is held, not past its own end, and the feed, by its last `verification`, did not refuse it. Look-ups,
    status and counts all ask this.
    """
    if verification is not None and verification.refusal is not None:
        return None
    return slot.live(now)


def refusal_of(verification: Verification | None) -> Refused | None:
    """Why the feed refused the credential, where it was tried and refused."""
    return None if verification is None else verification.refusal


def judge(credential: Credential, verdict: Verdict, before: Verification | None, now: Moment) -> Verification:
    """The verification, `before` being the feed's last one.

    UNAUTHORISED without a refusal asks for a new fetch; a second one in a row is a refusal.
    """
    theirs = f"the credential of {credential.account}" if credential.account else "the credential"
    refusal = None
    if verdict is Verdict.FORBIDDEN:
        who = credential.account or f"the credential from {credential.source}"
        refusal = Refused(f"{who} has no right to read this feed (403): ask its owner for the reader role")
    elif verdict is Verdict.UNAUTHORISED and before is not None and before.verdict is Verdict.UNAUTHORISED:
        if credential.manual_renewal is not None:
            refusal = Refused(f"the feed does not accept {theirs} (401): {credential.manual_renewal}")
        else:
            refused = f"the feed does not accept {theirs} from {credential.source}"
            refusal = Refused(f"{refused} (401), not even a newly fetched one")
    return Verification(credential, now, verdict, refusal)
