"""A JFrog platform: an Artifactory repository and the Access service that refreshes and exchanges tokens.
Refresh tokens can be used once; a sign-in of the JFrog CLI gets a token at each call. Attach it to a
`ConnectProxy` under any host name. Next: `index.py`, the repository alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.fakes import tokens
from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.index import PackageIndex
from tests.fakes.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.wheels import Wheel

ROOT = "/artifactory/api/pypi/internal/simple/"
USER = "alice"
PROVIDER = "github"
LIFE_S = 3600


class Artifactory:
    """A service. `refresh_tokens` are the unused ones; whoever has an access token of `packages` reads."""

    def __init__(self, wheels: Iterable[Wheel] = ()) -> None:
        self.packages = PackageIndex(wheels, root=ROOT)
        self.refresh_tokens: set[str] = set()
        self.sign_ins: set[str] = set()
        self.roles: set[str] = set()
        self.subjects: set[str] | None = None  # whose assertions are exchanged; None: of everybody
        self.access_faults = Faults()
        self.requests: Journal[Request] = Journal()

    def __call__(self, request: Request) -> Answer:
        if not request.path.startswith("/access/"):
            return self.packages(request)
        self.requests.add(request)
        return self.access_faults.stand_before(lambda: self._access(request))

    def _access(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/access/api/v1/tokens":
                return self._refresh(request)
            case "POST", "/access/api/v1/oidc/token":
                return self._exchange(request)
            case "POST", "/access/api/v1/aws/token":
                return self._of_role(request)
        return json_response(404, {"errors": [{"code": "NOT_FOUND", "message": "no"}]})

    def _refresh(self, request: Request) -> Response:
        if request.bearer is not None:  # "Create token", as `jf atc` asks
            known = request.bearer in self.sign_ins
            return self._granted(username=USER) if known else json_response(401, {"errors": []})
        presented = request.form.get("refresh_token", "")
        if presented not in self.refresh_tokens or not request.form.get("access_token"):
            return json_response(
                400, {"errors": [{"code": "BAD_REQUEST", "message": f"unknown {presented}"}]}
            )
        self.refresh_tokens.remove(presented)
        fresh = f"refresh-{tokens.unlike()}"
        self.refresh_tokens.add(fresh)
        return self._granted(refresh_token=fresh)

    def _exchange(self, request: Request) -> Response:
        asked = json.loads(request.body)
        claims = tokens.read_claims(asked["subject_token"])
        if asked["provider_name"] != PROVIDER or not tokens.is_assertion_of(claims, self.subjects):
            return json_response(401, {"errors": [{"code": "UNAUTHORIZED", "message": "no mapping"}]})
        return self._granted(username=USER)

    def _of_role(self, request: Request) -> Response:
        """JFrog asks STS with these headers whose they are; here the key id says it."""
        signed = re.search(
            r"Credential=([A-Z0-9]+)/[0-9]{8}/([a-z0-9-]+)/sts/", request.header("authorization") or ""
        )
        is_dated = request.header("x-amz-date") is not None
        if (
            signed is None
            or not is_dated
            or signed[1] not in self.roles
            or signed[2] != request.query.get("region")
        ):
            return json_response(401, {"errors": [{"code": "UNAUTHORIZED", "message": "no such role"}]})
        return self._granted(username=USER)

    def _granted(self, **more: str) -> Response:
        subject = f"jfac@01hq/users/{USER}"
        token = tokens.sign({"sub": subject, "scp": "applied-permissions/user", "jti": tokens.unlike()})
        self.packages.passwords.add(token)
        granted = {"access_token": token, "expires_in": LIFE_S, "scope": "applied-permissions/user"}
        return json_response(200, {**granted, "token_type": "Bearer", **more})
