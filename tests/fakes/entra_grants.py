"""The grants of Entra's token endpoint: each takes the form that was posted and gives the token answer,
or raises `RefusedError` with the code that Entra is documented to give. No HTTP in here.
Next: `az.py`, the sign-in that most people have.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jwt
from cryptography.x509 import load_pem_x509_certificate

from tests.fakes import tokens
from tests.fakes.oidc import FEDERATED_AUDIENCE

if TYPE_CHECKING:
    from tests.fakes.entra import Application, Entra

_ANY_TENANT = {"common", "organizations"}

Form = dict[str, str]
Grant = Callable[["Entra", Form, str], dict[str, object]]


@dataclass(frozen=True)
class TokenRequest:
    """One call of the token endpoint; `code` is the AADSTS number it was refused with."""

    grant: str
    tenant: str
    client_id: str | None
    scope: str | None
    code: int | None
    claims: str | None = None


class RefusedError(Exception):
    """The AADSTS code and OAuth error the endpoint answers with."""

    def __init__(self, code: int, text: str, error: str = "invalid_grant") -> None:
        super().__init__(f"AADSTS{code}: {text}")
        self.code = code
        self.text = text
        self.error = error


def refuse_grant(_entra: Entra, _form: Form, _tenant: str) -> dict[str, object]:
    """What any other grant comes to."""
    raise RefusedError(70003, "The app requested an unsupported grant type.", "unsupported_grant_type")


def _client_credentials(entra: Entra, form: Form, tenant: str) -> dict[str, object]:
    application = entra.applications.get(form.get("client_id", ""))
    if application is None or tenant not in {application.tenant, *_ANY_TENANT}:
        raise RefusedError(700016, "Application was not found in the directory.", "unauthorized_client")
    if "client_assertion" in form:
        _check_assertion(application, form["client_assertion"], entra.clock())
    elif application.secret is None or form.get("client_secret") != application.secret:
        raise RefusedError(7000215, "Invalid client secret provided.", "invalid_client")
    if not form.get("scope", "").endswith("/.default"):
        # what a bare resource id as scope comes to
        raise RefusedError(1002012, "The provided value for scope is not valid.", "invalid_scope")
    return _answer(entra, application.account, form)


def _check_assertion(application: Application, assertion: str, now: float) -> None:
    """Raise RefusedError unless it is signed by the registered certificate, or is the federated subject's."""
    if application.certificate_pem is not None:
        key = load_pem_x509_certificate(application.certificate_pem).public_key()
        try:
            jwt.decode(
                assertion,
                key,  # type: ignore[arg-type]  # the test certificates are RSA
                algorithms=["RS256", "PS256"],
                issuer=application.client_id,
                options={"verify_aud": False},
            )
        except jwt.PyJWTError:
            raise RefusedError(700027, "The certificate is not registered.", "invalid_client") from None
        return
    claims = tokens.read_claims(assertion) or {}
    if application.federated_subject is None or claims.get("sub") != application.federated_subject:
        raise RefusedError(70021, "No matching federated identity record found.", "invalid_request")
    if claims.get("aud") != FEDERATED_AUDIENCE:
        raise RefusedError(
            700212, "No matching federated identity record found for audience.", "invalid_request"
        )
    if now >= float(str(claims.get("exp", "inf"))):
        raise RefusedError(700024, "Client assertion is not within its valid time range.", "invalid_client")


def _device_code(entra: Entra, form: Form, _tenant: str) -> dict[str, object]:
    device = entra.devices.get(form.get("device_code", ""))
    if device is None:
        raise RefusedError(70000, "The device code is invalid.")
    if device.declined:
        raise RefusedError(70018, "The request was declined.", "authorization_declined")
    if device.expired:
        raise RefusedError(70020, "The device code has expired.", "expired_token")
    if device.account is None:
        raise RefusedError(70016, "Authorization is pending.", "authorization_pending")
    return _answer(entra, device.account, form)


def _authorization_code(entra: Entra, form: Form, _tenant: str) -> dict[str, object]:
    claims = _signed(form.get("code", ""), "code")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
    if claims.get("challenge") not in {None, challenge.rstrip(b"=").decode()}:
        raise RefusedError(501481, "The code verifier does not match the challenge.")
    account = tokens.Account(str(claims["name"]), str(claims["tenant"]))
    return _answer(entra, account, form, nonce=claims.get("nonce"))


def _refresh_token(entra: Entra, form: Form, tenant: str) -> dict[str, object]:
    claims = _signed(form.get("refresh_token", ""), "refresh")
    home = str(claims["tenant"])
    name = str(claims["name"])
    if name in entra.signed_out:
        raise RefusedError(50173, "The provided grant has expired due to it being revoked.")
    if (name, tenant) in entra.strangers:
        raise RefusedError(50020, f"User account '{name}' does not exist in tenant.")
    return _answer(entra, tokens.Account(name, home if tenant in _ANY_TENANT else tenant), form)


def _signed(token: str, kind: str) -> tokens.Claims:
    claims = tokens.read_claims(token)
    if claims is None or claims.get("kind") != kind:
        raise RefusedError(9002313, "Invalid request: the grant is malformed.", "invalid_request")
    return claims


def _answer(entra: Entra, account: tokens.Account, form: Form, *, nonce: object = None) -> dict[str, object]:
    now = entra.clock()
    scope = form.get("scope", "")
    answer: dict[str, object] = {
        "token_type": "Bearer",
        "scope": scope,
        "expires_in": int(entra.lifetime_s),
        "ext_expires_in": int(entra.lifetime_s),
        "access_token": tokens.entra_token(
            account, issued_at=now, lifetime_s=entra.lifetime_s, asked=form.get("claims")
        ),
    }
    if account.application:
        return answer
    refresh = {"kind": "refresh", "name": account.name, "tenant": account.tenant, "at": now}
    refresh["uti"] = tokens.unlike()
    identity: tokens.Claims = {
        "aud": form.get("client_id"),
        "iss": f"https://login.microsoftonline.com/{account.tenant}/v2.0",
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now + entra.lifetime_s),
        "oid": account.object_id,
        "sub": account.object_id,
        "tid": account.tenant,
        "name": account.name,
        "preferred_username": account.name,
        "nonce": nonce,
        "ver": "2.0",
    }
    client = json.dumps({"uid": account.object_id, "utid": account.tenant}).encode()
    return {
        **answer,
        "refresh_token": tokens.sign(refresh),
        "id_token": tokens.sign(identity),
        "client_info": base64.urlsafe_b64encode(client).rstrip(b"=").decode(),
        "foci": "1",
    }


GRANTS: dict[str, Grant] = {
    "client_credentials": _client_credentials,
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
    "urn:ietf:params:oauth:grant-type:device_code": _device_code,
    "device_code": _device_code,
}
