"""What a JSON Web Token says of itself, unverified: only the server it is for can tell whether that is true.

Good for knowing when to renew and whom to name, never for trusting anybody. Never raises, never keeps the
token. RFC 7519 sections 3 and 4.1.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime

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


def from_epoch(seconds: object) -> datetime | None:
    """The UTC time that many seconds after 1970, given as a number or its digits; None for anything else."""
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal():
        seconds = int(seconds[:20])
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the known times, or None when none is known."""
    return min((moment for moment in moments if moment is not None), default=None)
