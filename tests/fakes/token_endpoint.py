"""An OAuth 2 server that grants client credentials (RFC 6749 section 4.4). Attach it to a `ConnectProxy`
under any host name. Next: `index.py`, which takes its tokens as passwords.
"""

from __future__ import annotations

from urllib.parse import unquote_plus

from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.journal import Journal
from tests.fakes.tokens import unlike


class TokenEndpoint:
    """A service. `clients` are the ids and secrets it knows; `tokens` were granted, with their scopes."""

    def __init__(self) -> None:
        self.clients: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.life_s: object = 3600
        self.faults = Faults()
        self.requests: Journal[Request] = Journal()

    def __call__(self, request: Request) -> Answer:
        self.requests.add(request)
        return self.faults.stand_before(lambda: self._answer(request))

    def _answer(self, request: Request) -> Response:
        form = request.form
        pair = request.basic
        if pair is not None:
            pair = (unquote_plus(pair[0]), unquote_plus(pair[1]))
        client, secret = pair or (form.get("client_id", ""), form.get("client_secret", ""))
        if not secret or self.clients.get(client) != secret:
            return denied("invalid_client", 401)
        if form.get("grant_type") != "client_credentials":
            return denied("unsupported_grant_type")
        token = f"granted-{unlike()}"
        self.tokens[token] = form.get("scope", "")
        answer: dict[str, object] = {"access_token": token, "token_type": "Bearer"}
        return json_response(200, answer | ({} if self.life_s is None else {"expires_in": self.life_s}))


def denied(code: str, status: int = 400) -> Response:
    """A refusal, whose description quotes what a client sent."""
    return json_response(status, {"error": code, "error_description": "bad s3cret"})
