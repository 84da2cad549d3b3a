"""Cloudsmith's API where a job's assertion is exchanged ("Openid Create": `POST /v2/openid/OWNER`), and keys.
Attach it to a `ConnectProxy` as `api.cloudsmith.io`. Next: `registry.py`, the packages behind it.
"""

from __future__ import annotations

import json
import time

from tests.fakes import tokens
from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.journal import Journal

API_HOST = "api.cloudsmith.io"
OWNER = "acme"
SERVICE = "ci-of-acme"
LIFE_S = 5400


class Cloudsmith:
    """A service. `keys` are the API keys and entitlement tokens; `tokens` were given for assertions."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.tokens: set[str] = set()
        self.subjects: set[str] | None = None
        self.faults = Faults()
        self.requests: Journal[Request] = Journal()

    def __call__(self, request: Request) -> Answer:
        self.requests.add(request)
        return self.faults.stand_before(lambda: self._answer(request))

    def opens(self, _: str, password: str) -> bool:
        """True for a password that reads packages."""
        return password in self.keys | self.tokens

    def _answer(self, request: Request) -> Response:
        if request.method != "POST" or request.path != f"/v2/openid/{OWNER}":
            return json_response(404, {"detail": "Not found."})
        asked = json.loads(request.body)
        claims = tokens.read_claims(asked.get("oidc_token", ""))
        if not tokens.is_assertion_of(claims, self.subjects):
            return json_response(401, {"detail": f"cannot authenticate {asked.get('oidc_token')}"})
        if asked.get("service_slug") != SERVICE:
            return json_response(422, {"detail": "Missing or invalid parameters."})
        token = tokens.sign({"sub": SERVICE, "exp": int(time.time()) + LIFE_S, "jti": tokens.unlike()})
        self.tokens.add(token)
        return json_response(201, {"token": token})
