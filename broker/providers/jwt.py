"""What a JSON Web Token says of itself, unverified: only the server it is for can tell whether that is true.

Good for knowing when to renew and whom to name, never for trusting anybody. Never raises, never keeps the
token. RFC 7519 sections 3 and 4.1.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime

from broker.providers.expiry import from_epoch

TOKEN_CHARACTERS_MAX = 65536
"""Longer tokens are not taken apart: Entra's stay under 8,000, and no header field carries this much."""


def claims_of(token: str) -> Mapping[str, object]:
    """The token's claims; empty for anything that is not a JWT, an opaque token for example."""
    parts = token.split(".")
    if len(token) > TOKEN_CHARACTERS_MAX or len(parts) != 3 or not all(parts[:2]):  # noqa: PLR2004 - RFC 7515 section 3.1
        return {}
    try:
        payload = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
        claims = json.loads(payload)
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def expiry_of(token: str) -> datetime | None:
    """The `exp` of a JWT, in UTC; None for an opaque token or one that does not say."""
    return from_epoch(claims_of(token).get("exp"))
