"""Claims challenges: what a feed of Microsoft's asks a new token to say, though the old one has not ended.

Continuous Access Evaluation answers 401 with `WWW-Authenticate: Bearer ..., error="insufficient_claims",
claims="BASE64"` (Microsoft, "Claims challenges, claims requests and client capabilities"). The words are the
feed's own: what is not a JSON object of bounded size is no challenge.
"""

import base64
import json
import re
from collections.abc import Sequence

CLAIMS_BYTES = 2048
"""Of the encoded claims; Microsoft's examples have 100 to 500. They become part of a line to type."""

HEADER_BYTES = 16384
"""Of one WWW-Authenticate value that is looked at."""

_WORD = re.compile(r"""([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|([\w-]+)""", re.ASCII)
_ENCODED = re.compile(r"[A-Za-z0-9_-]+")


def claims_wanted(challenges: Sequence[str]) -> str | None:
    """The claims, as JSON in ASCII, of the values of a 401's WWW-Authenticate; None without exactly one."""
    found = {claims for value in challenges for claims in _encoded(value) if claims}
    return _decoded(found.pop()) if len(found) == 1 else None


def encoded(claims: str) -> str:
    """The claims as `az login --claims-challenge` and `azd auth token --claims` take them: in padded base64,
    of the standard alphabet (az 2.91 drops the characters of the other one unseen).
    """
    return base64.b64encode(claims.encode()).decode()


def _encoded(value: str) -> list[str]:
    """What stands after `claims=` in the Bearer challenges of one value."""
    scheme, found = "", []
    if len(value) > HEADER_BYTES:
        return []
    for name, quoted, bare, word in _WORD.findall(value):
        if word:
            scheme = word.lower()
        elif scheme == "bearer" and name.lower() == "claims":
            found.append(quoted or bare)
    return found


def _decoded(text: str) -> str | None:
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")  # services write either alphabet
    if len(plain) > CLAIMS_BYTES or _ENCODED.fullmatch(plain) is None:
        return None
    try:
        claims = base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode()
        asked = json.loads(claims)
    except (ValueError, RecursionError):
        return None
    if not isinstance(asked, dict):
        return None
    return claims if claims.isascii() and claims.isprintable() else json.dumps(asked, separators=(",", ":"))
