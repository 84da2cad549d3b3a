"""Where in a TOML text a key stands, for messages: tomllib keeps no positions."""

import re
from collections.abc import Sequence

FEED_HEAD = re.compile(r"""\s*\[\[\s*(feed|"feed"|'feed')\s*\]\]""")
"""The head of a [[feed]]; TOML takes a key in quotes as well."""

_NUL = re.compile(r"\\(?:u0000|U00000000|x00)")

_LONG_KEY = re.compile(r"""(?<![\w"'.-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){100}""")
"""A key of more parts than any of ours. tomllib's time grows with their number squared: 50,000 take hours."""


def lines_of(text: str) -> list[str]:
    """The lines as TOML and editors count them: str.splitlines knows ten other ends, such as U+2028."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line, from 1, where a key stands: ("ttl",), ("env", "PATH") or ("feed", 2, "url").

    The nearest enclosing place where the key itself is not found, such as the head of its table: tomllib
    keeps no positions, and a person needs a place to look at, not a proof.
    """
    lines = lines_of(text)
    start, end = 0, len(lines)
    if path and path[0] == "feed":
        heads = [line - 1 for line in heads_of_feeds(lines)]
        index = path[1] if len(path) > 1 and isinstance(path[1], int) else 0
        start = heads[index] if index < len(heads) else 0
        end = heads[index + 1] if index + 1 < len(heads) else len(lines)
        path = path[2:]
    for key in (part for part in path if isinstance(part, str)):
        found = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[.=\]]")
        start = next((number for number in range(start, end) if found.match(lines[number])), start)
    return start + 1


def heads_of_feeds(lines: Sequence[str]) -> list[int]:
    """The lines, from 1, of the text's [[feed]] heads: fewer than its feeds where some are written inline."""
    return [number for number, line in enumerate(lines, 1) if FEED_HEAD.match(line)]


def deepest_line(text: str) -> int:
    """The line, from 1, where most brackets are open: those within strings and comments count, too."""
    depth, found, most = 0, 1, 0
    for number, line in enumerate(lines_of(text), 1):
        opened = line.count("[") + line.count("{")
        if depth + opened > most:
            found, most = number, depth + opened
        depth = max(0, depth + opened - line.count("]") - line.count("}"))
    return found


def line_of_long_key(text: str) -> int | None:
    """The line, from 1, of the first key with a hundred dots, or None without one."""
    found = _LONG_KEY.search(text)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def longest_number(text: str) -> int | None:
    """The line, from 1, of the first number with more digits than Python reads, or None without one."""
    found = re.search(r"[0-9_]{4301}", text)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def line_of_nul(text: str, found: object) -> int | None:
    """The line of the first escape for a NUL, where a string of what was parsed has one; else None.

    No file of TOML has a NUL itself (TOML 1.0, "Spec"): only an escape makes one.
    """
    rest = [found]
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            rest += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            rest += each
        elif isinstance(each, str) and "\0" in each:
            escape = _NUL.search(text)
            return text.count("\n", 0, escape.start()) + 1 if escape is not None else 1
    return None
