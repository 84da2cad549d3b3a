"""What a token endpoint answers: RFC 6749 sections 5.1 and 5.2, as OAuth 2 servers and Artifactory speak it.

No I/O. Error descriptions may quote what was sent: only the registered error codes are ever shown.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.core.credential import Secret
from broker.core.failures import Refused, Unavailable
from broker.host.http import Response
from broker.providers.expiry import end_after
from broker.providers.helper_program import SecretFound, found
from broker.providers.jwt import claims_of
from broker.providers.retry_after import retry_after_s

NO_END = ("None", "0")
"""No `expires_in`, and Artifactory's for a token that never ends."""

JFROG_DEAD = "NOT_FOUND"
"""What Access answers, with status 404, to a refresh token that is dead (jfrog-cli#2490)."""

_CODES = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
        *("unsupported_grant_type", "invalid_scope", "access_denied", "invalid_target"),
        JFROG_DEAD,
    }
)


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What was granted: the access token with its end, the refresh token for the next, and for whom.

    `is_end_unknown`: the end was told, and cannot be read.
    """

    token: SecretFound
    refresh: Secret | None
    account: str | None
    is_end_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Denial:
    """The endpoint said no for good: its error code, or `status 403` where it sent no registered one."""

    code: str


def read_grant(response: Response, now: datetime, server: str) -> TokenGrant | Denial:
    """What the endpoint of `server` answered at `now`. Raises Unavailable for what may be better later."""
    status = response.status
    if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 6585, RFC 9110 section 15.6
        raise Unavailable(f"{server} answers {status}", retry_after_s=retry_after_s(response))
    answer = _table(response.body)
    if status not in {200, 201}:
        code = answer.get("error") or _jfrog_code(answer)
        if code == "temporarily_unavailable":
            raise Unavailable(f"{server} is unavailable for now")
        return Denial(code if isinstance(code, str) and code in _CODES else f"status {status}")
    refresh, life = answer.get("refresh_token"), answer.get("expires_in")
    ends = _end(life, now)
    try:
        token = found(answer.get("access_token"), None, ends)
        kept = Secret(refresh) if isinstance(refresh, str) and refresh else None
    except ValueError:
        raise Refused(f"{server} answers {status} without a token") from None
    told = answer.get("username")
    account = _named(told) if isinstance(told, str) else subject_of(token.secret)
    return TokenGrant(token, kept, account, token.expires_at is None and str(life) not in NO_END)


def _jfrog_code(answer: Mapping[str, object]) -> object:
    """The code of JFrog's `{"errors": [{"code": ..., "message": ...}]}`."""
    match answer.get("errors"):
        case [{"code": code}, *_]:
            return code
        case _:
            return None


def _table(body: bytes) -> Mapping[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, Mapping) else {}


def _end(told: object, now: datetime) -> datetime | None:
    """`expires_in` as a time; None for no end, and for one that cannot be read.

    A negative one is that of a token which has already ended.
    """
    if str(told) in NO_END:
        return None
    try:
        return end_after(told, now)
    except ValueError:
        return now - timedelta(seconds=1) if str(told).startswith("-") else None


def subject_of(token: Secret) -> str | None:
    """Whom a JWT is for, by the end of its `sub`: Artifactory's are paths, `jfac@.../users/alice`."""
    told = claims_of(token.reveal()).get("sub")
    return _named(told) if isinstance(told, str) else None


def _named(told: str) -> str | None:
    name = told.rpartition("/")[2]
    return name if name and name.isascii() and name.isprintable() and name == name.strip() else None
