"""Looking for issued tokens where none may be: in files, command lines and environments, in every spelling
that a leak could have. `Search` only reports where; it never repeats what it found.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.processes import in_proc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NEEDLE_BYTES_MIN = 12
"""Shorter pieces would be found by chance."""

_CLAIM_IDS = ("uti", "aui", "jti")
"""Claims that are unlike in every token of the fakes: what a decoded payload is known by."""


def spellings(secret: str) -> frozenset[bytes]:
    """The secret as it is, in a URL, in a JSON string, in hexadecimal digits, and inside base64 with anything
    before and after it, such as `user:secret`; for a JWT also its payload, encoded and decoded.
    """
    found = {secret.encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}
    digits = secret.encode().hex()
    found |= {digits.encode(), digits.upper().encode()}
    found |= set(_inside_base64(secret.encode()))
    payload = _payload(secret)
    if payload is not None:
        claims = json.loads(_decoded(payload))
        found.add(payload.encode())
        found |= {str(claims[name]).encode() for name in _CLAIM_IDS if name in claims}
    return frozenset(piece for piece in found if len(piece) >= NEEDLE_BYTES_MIN)


def spellings_inside(marker: str) -> frozenset[bytes]:
    """The same of a marker that is somewhere in a secret: also of one in the payload of a JWT in base64, such
    as a session token in Basic credentials.
    """
    encoded = set(_inside_base64(marker.encode()))
    return spellings(marker) | encoded | {twice for once in encoded for twice in _inside_base64(once)}


class Search:
    """A search for these secrets; what looks somewhere returns the places that have one."""

    def __init__(self, secrets: Iterable[str], spelt: Callable[[str], frozenset[bytes]] = spellings) -> None:
        self._needles = sorted(set().union(*(spelt(secret) for secret in secrets)))
        assert self._needles, "nothing to search for"

    def is_in(self, text: bytes) -> bool:
        """Whether one of the secrets is in the text."""
        return any(needle in text for needle in self._needles)

    def files(self, folder: Path) -> list[str]:
        """Files below the folder whose name, link target or content has one."""
        everything = sorted(folder.rglob("*"))
        return [str(path) for path in everything if self.is_in(bytes(path)) or self.is_in(_content(path))]

    def processes(self) -> list[str]:
        """Command lines and environments of all processes that this user may see."""
        return [
            f"/proc/{pid}/{file}"
            for file in ("cmdline", "environ")
            for pid, content in in_proc(file)
            if self.is_in(content)
        ]


def _content(path: Path) -> bytes:
    """What is in the file or link; nothing for what is neither, has gone, or is closed to us."""
    try:
        if path.is_symlink():
            return bytes(path.readlink())
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


def _inside_base64(secret: bytes) -> Iterator[bytes]:
    """The characters that base64 gives the secret at each of the three offsets, neighbours excluded."""
    for offset, begin in ((0, 0), (1, 2), (2, 3)):
        whole = len(secret) - (offset + len(secret)) % 3
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(offset) + secret[:whole])[begin:]


def _payload(token: str) -> str | None:
    parts = token.split(".")
    return parts[1] if len(parts) == 3 and token.startswith("eyJ") else None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
