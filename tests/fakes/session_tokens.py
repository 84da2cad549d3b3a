"""The exchange of an Entra bearer for a session token: `POST .../_apis/Token/SessionTokens`.
Next: `entra.py`, where bearers come from.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.fakes.faults import azure_error, redirect, valid_to_refused
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.organisation import Exchange, Identity, Organisation

if TYPE_CHECKING:
    from tests.fakes.tokens import Claims

PATH = "/_apis/Token/SessionTokens"
API_VERSION = "5.0-preview.1"


def answer_exchange(organisation: Organisation, request: Request) -> Answer:
    """The answer to a request for a session token; it is written to `exchanges`."""
    identity = organisation.identify_entra(request.bearer or "")
    body = _json_object(request.body)
    answer = organisation.exchange_faults.stand_before(
        lambda: _answer(organisation, request, identity, body or {})
    )
    organisation.exchanges.add(
        Exchange(
            identity.user if identity else None,
            _text(body, "scope"),
            _text(body, "displayName"),
            _text(body, "validTo"),
            request.query.get("tokenType"),
            answer.status if isinstance(answer, Response) else None,
        )
    )
    return answer


def _answer(
    organisation: Organisation, request: Request, identity: Identity | None, body: Claims
) -> Response:
    if request.method != "POST":
        return azure_error(405, "The requested resource does not support this method.")
    if identity is None:
        return _challenge(organisation, request)
    if request.query.get("api-version") != API_VERSION:
        return azure_error(400, "The requested REST API version is not available.")
    return _issue(organisation, identity, body)


def _challenge(organisation: Organisation, request: Request) -> Response:
    if (request.header("x-tfs-fedauthredirect") or "").lower() != "suppress":
        return redirect(f"https://{organisation.name}.visualstudio.com/_signin?realm=fakes")
    refused = azure_error(401, "TF400813: The user is not authorized to access this resource.")
    return replace(refused, headers=(*refused.headers, *organisation.claims_challenge()))


def _issue(organisation: Organisation, identity: Identity, body: Claims) -> Response:
    scope = body.get("scope")
    if not isinstance(scope, str) or not scope:
        return azure_error(400, "A scope is required.", "InvalidScopeException")
    lifetime_s = organisation.lifetime_s
    if (valid_to := body.get("validTo")) is not None:
        until = _instant(valid_to)
        if organisation.refuses_valid_to or until is None:
            return valid_to_refused()
        lifetime_s = min(until - organisation.clock(), organisation.longest_lifetime_s)
    token = organisation.issue(identity.user, scope.split(), lifetime_s)
    ends = datetime.fromtimestamp(token.expires_at, UTC)
    told = {"validTo": ends.isoformat().replace("+00:00", "Z")} if organisation.tells_valid_to else {}
    shared = {"clientId": None, "displayName": body.get("displayName"), "scope": scope, "isValid": True}
    return json_response(200, {**shared, **told, "token": token.value, "alternateToken": None})


def _json_object(body: bytes) -> Claims | None:
    try:
        read = json.loads(body)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _text(body: Claims | None, key: str) -> str | None:
    value = (body or {}).get(key)
    return value if isinstance(value, str) else None


def _instant(value: object) -> float | None:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return None
