"""A command's stream, from which the account of uv is taken out line by line. Pure: bytes in, bytes out.

What is not the account passes at once and unchanged, whatever it is. An account's line may be coloured, be
indented by a program that repeats it, follow a progress bar on the same line, or come in pieces.
"""

import re
from collections.abc import Callable

from broker.ctl.why.uv_account import LEVELS, is_known

HELD_MAX = 1 << 16
"""The longest line that is held back until its end comes; of a longer account's line the rest is dropped."""

_LEVEL = rb"(?P<level>" + b"|".join(level.encode() for level in LEVELS) + rb")"
_SGR = rb"\x1b\[[0-9;]*m"
_ACCOUNT = re.compile(
    rb"(?:(?:(?:(?<=\n)|(?<=\r)|\A)(?:[ \t|]|" + _SGR + rb")*|(?:(?<=[A-Za-z])|(?<=\s))(?:" + _SGR + rb")+)"
    + _LEVEL + rb"(?:" + _SGR + rb")*[ ]+(?P<text>[^\r\n]*)(?P<end>\r*(?:\n|\Z)))"
)  # fmt: skip
_MAY_BEGIN = re.compile(rb"(?:[ \t|]|\x1b\[[0-9;]*m)*[A-Z]{0,5}(?:\x1b\[[0-9;]*m)*(?:\x1b(?:\[[0-9;]*)?)?\Z")
_UNDECIDED = 160
"""Characters of a line's beginning that no wording needs more of to be known."""

_CODES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class AccountStream:
    """Takes a stream apart. `hear` gets each line of the account as its level and its text.

    `takes_all`: every line that begins with a level is uv's own account. Else only those are whose wording is
    known: other programs may write the like. Lines of the levels in `shown` pass as well.
    """

    def __init__(
        self, hear: Callable[[str, str], None], *, takes_all: bool, shown: frozenset[str] = frozenset()
    ) -> None:
        self._hear = hear
        self._takes_all = takes_all
        self._shown = shown
        self._held = b""
        self._at_start = True
        self._drops = False

    def feed(self, data: bytes) -> bytes:
        """What passes of what has come now and was held back before."""
        data = self._held + data
        self._held = b""
        if self._drops:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return b""
            self._drops, self._at_start = False, True
        whole, newline, rest = data.rpartition(b"\n")
        passed = self._without_account(whole + newline) if newline else b""
        if newline:
            self._at_start = True
        if self._may_be_account(rest):
            if len(rest) <= HELD_MAX:
                self._held = rest
            else:
                self._drops = True
                self._without_account(rest)
            return passed
        if rest:
            self._at_start = False
        return passed + rest

    def flush(self, *, ended: bool = False) -> bytes:
        """What need not be held back any longer: no more comes for now; or ever, if it `ended`."""
        held, self._held = self._held, b""
        if not held:
            return b""
        if self._is_account(held):
            if ended:
                return self._without_account(held)
            self._held = held
            return b""
        self._at_start = False
        return held

    def _may_be_account(self, rest: bytes) -> bool:
        found = self._search(rest)
        if found is not None:
            return self._is_taken(found) or len(found["text"]) < _UNDECIDED
        tail = rest[-_UNDECIDED:].rpartition(b"\x1b")
        begins = self._at_start and _MAY_BEGIN.match(rest) is not None
        return begins or (bool(tail[1]) and _MAY_BEGIN.match(tail[1] + tail[2]) is not None)

    def _is_account(self, rest: bytes) -> bool:
        found = self._search(rest)
        return found is not None and self._is_taken(found)

    def _search(self, text: bytes) -> re.Match[bytes] | None:
        if not any(level.encode() in text for level in LEVELS):
            return None
        for found in _ACCOUNT.finditer(text):
            if found.start() > 0 or self._at_start or text[:1] in b"\x1b\r":
                return found
        return None

    def _without_account(self, text: bytes) -> bytes:
        if not any(level.encode() in text for level in LEVELS):
            return text
        at_start = self._at_start

        def replaced(found: re.Match[bytes]) -> bytes:
            if found.start() == 0 and not at_start and text[:1] not in b"\x1b\r":
                return found[0]
            if not self._is_taken(found):
                return found[0]
            level = found["level"].decode()
            self._hear(level, _text_of(found))
            return found[0] if level in self._shown else b""

        return _ACCOUNT.sub(replaced, text)

    def _is_taken(self, found: re.Match[bytes]) -> bool:
        return self._takes_all or is_known(_text_of(found))


def plain(data: bytes) -> str:
    """The text without what colours it."""
    return _CODES.sub(b"", data).decode("utf-8", "replace")


def _text_of(found: re.Match[bytes]) -> str:
    return plain(found["text"]).strip()
