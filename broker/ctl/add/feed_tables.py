"""The [[feed]] tables of a configuration's text: one more at its end, or one less. Pure, text to text.

Everything a person wrote stays as it was: comments, order, blank lines. What an edit would come to is read
back with tomllib before it is returned, so that a file is never damaged by a layout that was not foreseen.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from broker.config.toml_lines import FEED_HEAD
from broker.config.toml_writer import toml_lines
from broker.ctl.command_error import CommandError

BY_HAND = "this file's feeds are laid out in a way that is not edited here: change it by hand"

_HEAD = re.compile(r"\s*\[\[?\s*(?P<key>[^\]#]+?)\s*\]")
_FEED = re.compile(r"""(feed|"feed"|'feed')\s*(\.|$)""")


def with_feed(text: str, keys: Mapping[str, Any]) -> str:
    """The text with one more [[feed]] at its end.

    `text` must be TOML. Raises CommandError where feeds are inline.
    """
    line_end = "\r\n" if "\r\n" in text else "\n"
    body = text.rstrip()
    separator = "\n\n" if body else ""
    edited = body + f"{separator}[[feed]]\n{toml_lines(keys)}".replace("\n", line_end)
    expected = tomllib.loads(text)
    before = expected.get("feed", [])
    return _checked(edited, {**expected, "feed": [*before, dict(keys)]} if isinstance(before, list) else {})


def without_feed(text: str, number: int) -> str:
    """The text without its [[feed]] of that number, from 0, and without the comment right above its head.

    `text` must be TOML. Raises CommandError where feeds are inline.
    """
    expected = tomllib.loads(text)
    lines = text.split("\n")
    spans = list(_feed_spans(lines))
    if len(spans) != len(expected.get("feed", [])):
        raise CommandError(BY_HAND)
    start, end = spans[number]
    while start > 0 and end < len(lines) and not lines[start - 1].strip() and not lines[end].strip():
        end += 1  # of the blank lines around it, those of one side are enough
    while start == 0 and end < len(lines) and not lines[end].strip():
        end += 1
    kept = lines[:start] + lines[end:]
    del expected["feed"][number]
    if not expected["feed"]:
        del expected["feed"]
    return _checked("\n".join(kept), expected)


def _feed_spans(lines: list[str]) -> Iterator[tuple[int, int]]:
    """First line and line after the last of each [[feed]], with the comment above its head."""
    heads = [number for number in range(len(lines)) if _is_head(lines, number)]
    for position, head in enumerate(heads):
        if not FEED_HEAD.match(lines[head]):
            continue
        following = [other for other in heads[position + 1 :] if not _belongs_to_feed(lines[other])]
        yield _first_line(lines, head), _line_after(lines, following[0] if following else None)


def _is_head(lines: list[str], number: int) -> bool:
    """True when a table begins here: the same text inside a multi-line string or array is none."""
    if not _HEAD.match(lines[number]):
        return False
    try:
        tomllib.loads("\n".join([*lines[:number], ""]))
    except tomllib.TOMLDecodeError:
        return False
    return True


def _belongs_to_feed(line: str) -> bool:
    """True for the head of a sub-table such as [feed.allow]."""
    head = _HEAD.match(line)
    return head is not None and _FEED.match(head["key"]) is not None and not FEED_HEAD.match(line)


def _first_line(lines: list[str], head: int) -> int:
    """Where the comment right above a head begins; one that opens the file speaks for the whole file."""
    first = head
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return first if first > 0 else head


def _line_after(lines: list[str], next_head: int | None) -> int:
    """Where a feed's own lines end: a comment after a blank line, or above the next head, is not its own."""
    end = len(lines) if next_head is None else _first_line(lines, next_head)
    last = end
    while last > 0 and _is_comment_or_blank(lines[last - 1]):
        last -= 1
    while last < end and lines[last].strip():
        last += 1
    return last


def _is_comment_or_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _checked(edited: str, expected: Mapping[str, Any]) -> str:
    try:
        found = tomllib.loads(edited)
    except tomllib.TOMLDecodeError:
        found = None
    if found != expected:
        raise CommandError(BY_HAND)
    return edited
