"""The Entra directory: discovery documents, the device code page, and the token endpoint, whose grants
are in `entra_grants.py`. Refresh tokens and codes are signed, so they outlive a restart of the fake.
Next: `entra_grants.py`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.fakes import tokens
from tests.fakes.entra_grants import GRANTS, RefusedError, TokenRequest, refuse_grant
from tests.fakes.faults import Faults
from tests.fakes.http1 import Answer, Request, Response, html_response, json_response
from tests.fakes.journal import Journal

if TYPE_CHECKING:
    from tests.fakes.organisation import Clock

LOGIN_HOSTS = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com")
LIFETIME_S = 4500.0  # within the 60 to 90 minutes that Entra draws at random


@dataclass(frozen=True)
class Application:
    """A registered application and the ways it can prove itself."""

    client_id: str
    tenant: str
    secret: str | None = None
    certificate_pem: bytes | None = None
    federated_subject: str | None = None

    @property
    def account(self) -> tokens.Account:
        """The service principal."""
        return tokens.Account(self.client_id, self.tenant, application=True)


@dataclass
class DeviceSignIn:
    """A device code on its way: approved once it has an account."""

    user_code: str
    client_id: str
    account: tokens.Account | None = None
    declined: bool = False
    expired: bool = False


class Entra:
    """A service for the login hosts. `requests` records every call of the token endpoint."""

    def __init__(self, clock: Clock = time.time) -> None:
        self.clock = clock
        self.lifetime_s = LIFETIME_S
        self.device_interval_s = 1
        self.faults = Faults()
        self.requests: Journal[TokenRequest] = Journal()
        self.applications: dict[str, Application] = {}
        self.devices: dict[str, DeviceSignIn] = {}
        self.browser_account: tokens.Account | None = None  # who is signed in where a browser would open
        self.signed_out: set[str] = set()  # users whose refresh tokens are revoked
        self.strangers: set[tuple[str, str]] = set()  # (user, tenant): not a member of that tenant

    def register(self, application: Application) -> Application:
        """Let the application sign in."""
        self.applications[application.client_id] = application
        return application

    def approve(self, user_code: str, account: tokens.Account) -> None:
        """What a person does on the device page."""
        self._device(user_code).account = account

    def decline(self, user_code: str) -> None:
        """The other thing a person can do there."""
        self._device(user_code).declined = True

    def expire(self, user_code: str) -> None:
        """The code was left lying too long."""
        self._device(user_code).expired = True

    def _device(self, user_code: str) -> DeviceSignIn:
        return next(device for device in self.devices.values() if device.user_code == user_code)

    def __call__(self, request: Request) -> Answer:
        match [part for part in request.path.split("/") if part]:
            case ["common", "discovery", "instance"]:
                return json_response(200, _instance_discovery(request))
            case [tenant, "v2.0", ".well-known", "openid-configuration"]:
                return json_response(200, _openid_configuration(request.host, tenant))
            case [tenant, "oauth2", "v2.0", "devicecode"]:
                return self._device_code(request, tenant)
            case [_, "oauth2", "v2.0", "authorize"]:
                return self._authorize(request)
            case [tenant, "oauth2", "v2.0", "token"]:
                return self.faults.stand_before(lambda: self._token(request, tenant))
            case _:
                return Response(404)

    def _token(self, request: Request, tenant: str) -> Response:
        form = request.form
        kind = form.get("grant_type", "")
        grant = GRANTS.get(kind, refuse_grant)
        try:
            answer, code = json_response(200, grant(self, form, tenant)), None
        except RefusedError as refusal:
            answer, code = aadsts(refusal.code, refusal.text, refusal.error), refusal.code
        self.requests.add(
            TokenRequest(kind, tenant, form.get("client_id"), form.get("scope"), code, form.get("claims"))
        )
        return answer

    def _device_code(self, request: Request, tenant: str) -> Answer:
        number = len(self.devices) + 1
        device = DeviceSignIn(f"FAKE{number:05}", request.form.get("client_id", ""))
        self.devices[f"device-code-{number}"] = device
        page = "https://microsoft.com/devicelogin"
        return json_response(
            200,
            {
                "user_code": device.user_code,
                "device_code": f"device-code-{number}",
                "verification_uri": page,
                "expires_in": 900,
                "interval": self.device_interval_s,
                "message": f"To sign in to {tenant}, open {page} and enter the code {device.user_code}.",
            },
        )

    def _authorize(self, request: Request) -> Answer:
        """What the sign-in page does when the browser is signed in already: straight back."""
        query = request.query
        if self.browser_account is None:
            return html_response(200, "<!DOCTYPE html><title>Sign in to your account</title>")
        code = tokens.sign(
            {
                "kind": "code",
                "name": self.browser_account.name,
                "tenant": self.browser_account.tenant,
                "nonce": query.get("nonce"),
                "challenge": query.get("code_challenge"),
            }
        )
        back = urlencode({"code": code, "state": query.get("state", "")})
        return Response(302, headers=(("Location", f"{query['redirect_uri']}?{back}"),))


def aadsts(code: int, text: str, error: str = "invalid_grant", suberror: str | None = None) -> Response:
    """An error of the token endpoint, to be raised through `Entra.faults` too."""
    trace = "00000000-1111-2222-3333-444444444444"
    stamp = "2026-01-02 03:04:05Z"
    story = f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {trace} Timestamp: {stamp}"
    content: dict[str, object] = {
        "error": error,
        "error_description": story,
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": f"https://{LOGIN_HOSTS[0]}/error?code={code}",
    }
    if suberror is not None:
        content["suberror"] = suberror
    return json_response(401 if error == "invalid_client" else 400, content)


def _instance_discovery(request: Request) -> dict[str, object]:
    endpoint = f"https://{request.host}/common/v2.0/.well-known/openid-configuration"
    return {
        "tenant_discovery_endpoint": endpoint,
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": LOGIN_HOSTS[0],
                "preferred_cache": "login.windows.net",
                "aliases": list(LOGIN_HOSTS),
            }
        ],
    }


def _openid_configuration(host: str, tenant: str) -> dict[str, object]:
    base = f"https://{host}/{tenant}"
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
    }
