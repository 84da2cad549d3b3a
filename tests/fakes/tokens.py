"""Entra access tokens of the fakes: JWTs signed with one static key, so that a fake `az` in another
process mints tokens that the fake cloud accepts. Standard library only, and little of it, for
`az_program.py` imports this. Next: `entra.py` and `az_program.py`, which hand them out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from typing import NamedTuple

AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"  # the resource every token here is for
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # the client id of az and of azure-identity
_KEY = b"the fakes' own key, known to every test"

MARKER = "TBKTEST-issued-by-a-fake"
"""Is in every token that a fake has issued, whichever, and in nothing else."""

Claims = dict[str, object]


def unlike() -> str:
    """What makes a token one of the fakes' and unlike any other."""
    return f"{MARKER}-{os.urandom(16).hex()}"


class Account(NamedTuple):
    """Who a token is about: a person, or with `application` a service principal."""

    name: str
    tenant: str
    application: bool = False

    @property
    def object_id(self) -> str:
        """The directory's id of this account, the same whenever it is asked."""
        told = hashlib.sha256(f"{self.tenant}/{self.name}".encode()).hexdigest()
        return "-".join((told[:8], told[8:12], told[12:16], told[16:20], told[20:32]))


def entra_claims(
    account: Account, *, issued_at: float, lifetime_s: float, resource: str = AZURE_DEVOPS
) -> Claims:
    """The claims of an access token as Entra's v1.0 tokens for this resource carry them."""
    begins = int(issued_at)
    shared: Claims = {
        "aud": resource,
        "iss": f"https://sts.windows.net/{account.tenant}/",
        "iat": begins,
        "nbf": begins,
        "exp": int(issued_at + lifetime_s),
        "tid": account.tenant,
        "oid": account.object_id,
        "sub": account.object_id,
        "ver": "1.0",
        "uti": unlike(),
    }
    if account.application:
        return {**shared, "appid": account.name, "idtyp": "app", "roles": ["access"]}
    return {
        **shared,
        "appid": AZURE_CLI,
        "idtyp": "user",
        "scp": "user_impersonation",
        "upn": account.name,
        "unique_name": account.name,
        "preferred_username": account.name,
    }


def sign(claims: Claims) -> str:
    """A JWT with these claims."""
    head = _encode(json.dumps({"typ": "JWT", "alg": "HS256", "kid": "fakes"}).encode())
    payload = _encode(json.dumps(claims).encode())
    return f"{head}.{payload}.{_signature(f'{head}.{payload}')}"


def is_assertion_of(claims: Claims | None, subjects: set[str] | None) -> bool:
    """True for the claims of an assertion that lives, and is of one of the subjects; None: of anybody."""
    if claims is None or time.time() >= float(str(claims.get("exp", "inf"))):
        return False
    return subjects is None or claims.get("sub") in subjects


def entra_token(
    account: Account,
    *,
    issued_at: float,
    lifetime_s: float,
    resource: str = AZURE_DEVOPS,
    asked: str | None = None,
) -> str:
    """An access token for the account; `asked` are the claims that were asked for with it."""
    claims = entra_claims(account, issued_at=issued_at, lifetime_s=lifetime_s, resource=resource)
    return sign(claims if asked is None else {**claims, "asked": asked})


def read_claims(token: str) -> Claims | None:
    """The claims of a token that was signed here, expired or not; None for anything else."""
    signed, _, signature = token.rpartition(".")
    head, dot, payload = signed.partition(".")
    if not dot or not hmac.compare_digest(signature.encode(), _signature(signed).encode()):
        return None
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims if head and isinstance(claims, dict) else None


def _signature(signed: str) -> str:
    return _encode(hmac.new(_KEY, signed.encode(), hashlib.sha256).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
