"""The endpoints that give a machine its own token: IMDS of a virtual machine and the one of App Service.
Both are plain HTTP on the machine itself; put this behind a `WebServer` and lay `environment` over.
Next: `oidc.py`, the tokens that pipelines give their jobs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.fakes import tokens
from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, json_response
from tests.fakes.journal import Journal

if TYPE_CHECKING:
    from tests.fakes.loopback import WebServer
    from tests.fakes.organisation import Clock

IMDS_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"
APP_SERVICE_HEADER = "the identity header of App Service"
SYSTEM_ASSIGNED = ""


class ManagedIdentities:
    """A service. `identities` maps client ids to accounts; the key "" is the system-assigned one."""

    def __init__(self, tenant: str, clock: Clock = time.time) -> None:
        self.clock = clock
        self.lifetime_s = 24 * 3600.0
        self.identities = {SYSTEM_ASSIGNED: tokens.Account("machine", tenant, application=True)}
        self.faults = Faults()
        self.requests: Journal[Request] = Journal()

    @staticmethod
    def imds_environment(server: WebServer) -> dict[str, str]:
        """The variables that lead azure-identity to this IMDS."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": server.url}

    @staticmethod
    def app_service_environment(server: WebServer) -> dict[str, str]:
        """The variables that App Service sets."""
        return {"IDENTITY_ENDPOINT": server.url + APP_SERVICE_PATH, "IDENTITY_HEADER": APP_SERVICE_HEADER}

    def __call__(self, request: Request) -> Answer:
        self.requests.add(request)
        return self.faults.stand_before(lambda: self._answer(request))

    def _answer(self, request: Request) -> Response:
        if request.path == IMDS_PATH and request.header("metadata") != "true":
            return json_response(400, {"error": "invalid_request", "error_description": "no Metadata header"})
        if request.path == APP_SERVICE_PATH and request.header("x-identity-header") != APP_SERVICE_HEADER:
            return json_response(401, {"statusCode": 401, "message": "wrong identity header"})
        if request.path not in {IMDS_PATH, APP_SERVICE_PATH}:
            return Response(404)
        account = self.identities.get(request.query.get("client_id", SYSTEM_ASSIGNED))
        if account is None:
            return json_response(400, {"error": "invalid_request", "error_description": "Identity not found"})
        now = self.clock()
        resource = request.query.get("resource", "")
        token = tokens.entra_token(account, issued_at=now, lifetime_s=self.lifetime_s, resource=resource)
        return json_response(
            200,
            {
                "access_token": token,
                "client_id": account.name,
                "expires_in": str(int(self.lifetime_s)),
                "expires_on": str(int(now + self.lifetime_s)),
                "resource": resource,
                "token_type": "Bearer",
            },
        )
