"""The exchange of an Entra bearer for a session token that is good for one organisation's packages only.

No I/O. The request is that of artifacts-credprovider (VstsSessionTokenClient.cs of 2026-08), with a scope of
our own; the answer is read as strictly as one of an unknown server. Its body is never shown, its error codes
are.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from broker.core.credential import Secret
from broker.core.failures import Refused, SignInNeeded, Unavailable
from broker.core.feeds import PUBLISH, READ
from broker.host.http import Request, Response
from broker.providers.azure.challenge import NO_REDIRECT, Challenge
from broker.providers.azure.organisation import Organisation
from broker.providers.claims_challenge import claims_wanted
from broker.providers.expiry import earliest
from broker.providers.jwt import expiry_of
from broker.providers.retry_after import retry_after_s

SCOPES = {READ: "vso.packaging", PUBLISH: "vso.packaging_write"}

LIFE = timedelta(hours=4)
"""The life that artifacts-credprovider asks for; organisations may cap it, the service does at 24 h."""

DISPLAY_NAME = "token-broker"

FIRST_SIGN_IN = "TF401444"
"""The service's code for an account that has never signed in to the organisation with a browser."""

_CODE = re.compile(r"\b(?:TF|VS|AADSTS)[0-9]{4,9}\b")


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What was issued; `expires_at` is UTC, None only when neither answer nor token tells."""

    secret: Secret
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class LifeRefused:
    """The organisation does not allow the asked life: ask again without one."""


@dataclass(frozen=True, slots=True)
class BearerRefused:
    """The organisation does not take this bearer; `why` is the service's code, or the status, and `claims`
    what it wants the next one to say.
    """

    why: str
    claims: str | None = None


def exchange_request(challenge: Challenge, bearer: Secret, scope: str, valid_to: datetime | None) -> Request:
    """The request to the challenge's authority. `valid_to` (UTC) None leaves the life to the service."""
    wish = {"displayName": DISPLAY_NAME, "scope": SCOPES[scope]}
    if valid_to is not None:
        wish["validTo"] = valid_to.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Request(
        "POST",
        # SelfDescribing gives a JWT. Compact gives a personal access token, of which users get a mail.
        f"{challenge.authority}/_apis/Token/SessionTokens?tokenType=SelfDescribing&api-version=5.0-preview.1",
        (
            ("Authorization", f"Bearer {bearer.reveal()}"),
            ("Accept", "application/json"),
            ("Content-Type", "application/json"),
            NO_REDIRECT,
        ),
        json.dumps(wish).encode(),
    )


def read_exchange(
    response: Response, organisation: Organisation, *, asked_life: bool
) -> SessionToken | LifeRefused | BearerRefused:
    """Return what became of the exchange; `asked_life` tells whether the request had a validTo.

    Raises SignInNeeded when the account must first be seen in a browser, Refused for another definite no,
    Unavailable for what may be better later, an unreadable answer included.
    """
    answer = _object(response.body)
    codes = _CODE.findall(str(answer.get("message", "")))
    said = f"{response.status}" + "".join(f", {code}" for code in dict.fromkeys(codes))
    match response.status:
        case 200 | 201:
            return _issued(answer, organisation)
        case 400 if asked_life:
            return LifeRefused()
        case 401 if FIRST_SIGN_IN in codes:
            raise SignInNeeded(
                f"{organisation} wants this account to sign in once with a browser ({FIRST_SIGN_IN})",
                hint=f"python3 -I -m webbrowser {organisation.portal}",
            )
        case 203 | 302 | 401:  # a sign-in page is a refusal, too: the request asked not to be led to one
            return BearerRefused(said, claims_wanted(response.values("www-authenticate")))
        case 403:
            raise Refused(f"{organisation} does not let this account have session tokens ({said})")
        case 404:
            raise Refused(f"the token authority does not know {organisation} ({said})")
        case status if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 6585, RFC 9110 section 15.6
            raise Unavailable(
                f"the token authority of {organisation} answers {said}", retry_after_s=retry_after_s(response)
            )
        case _:
            raise Refused(f"the token authority of {organisation} refuses the exchange ({said})")


def _issued(answer: dict[str, object], organisation: Organisation) -> SessionToken:
    try:
        secret = Secret(answer.get("token"))
    except ValueError:
        raise Unavailable(f"the token authority of {organisation} answers without a token") from None
    return SessionToken(secret, earliest(_moment(answer.get("validTo")), expiry_of(secret.reveal())))


def _object(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _moment(text: object) -> datetime | None:
    """`validTo`, which the service writes in UTC, with or without a `Z`."""
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
