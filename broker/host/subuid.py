"""Subordinate uids: the numbers that a user may take on in containers of their own (subuid(5)).

Where rootless containers are set up every user has 65,536 of them, and keeps their groups under each. Limits
per uid would take one user for many, so they go by `account_of`.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import NamedTuple

from broker.host.file_stamp import file_stamp

SUBUID = Path("/etc/subuid")

BYTES_MAX = 1024 * 1024
"""Some tens of thousands of users; ranges beyond that are not known."""

FRESH_S = 1.0
"""The file is looked at this often: in a flood each connection waits for all before it, so that counting one
must cost next to nothing."""

_ROOTS = frozenset({"root", "0"})
"""Only root uses these ranges, for the machine's containers, and they may reach over a directory's users."""


class _Range(NamedTuple):
    first: int
    end: int


class SubuidRanges:
    """The ranges of `path`, read again when it has changed. Those from a directory service are not known.

    `now_s` is a clock that never goes back.
    """

    def __init__(self, path: Path = SUBUID, now_s: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now_s = now_s
        self._look_s = float("-inf")
        self._mark: Hashable = None
        self._ranges: list[_Range] = []

    def account_of(self, uid: int) -> int:
        """The first number of the range that the uid lies in, or the uid itself. Never raises.

        Not the range's owner, who may be written by name: the database of names may hang.
        """
        now_s = self._now_s()
        if now_s >= self._look_s:
            self._look_s = now_s + FRESH_S
            self._look()
        place = bisect_right(self._ranges, uid, key=lambda each: each.first) - 1
        return self._ranges[place].first if place >= 0 and uid < self._ranges[place].end else uid

    def _look(self) -> None:
        mark = file_stamp(self._path)
        if mark == self._mark:
            return
        try:
            with self._path.open("rb") as file:
                text = file.read(BYTES_MAX).decode("latin-1")
        except OSError:
            self._mark, self._ranges = None, []
        else:
            self._mark, self._ranges = mark, _ranges_of(text)


def _ranges_of(text: str) -> list[_Range]:
    """The ranges of all users but root, in order; those that overlap are one."""
    ranges: list[_Range] = []
    for first, count in sorted(filter(None, map(_range_in, text.splitlines()))):
        if ranges and first < ranges[-1].end:
            ranges[-1] = _Range(ranges[-1].first, max(ranges[-1].end, first + count))
        else:
            ranges.append(_Range(first, first + count))
    return ranges


def _range_in(line: str) -> tuple[int, int] | None:
    owner, _, numbers = line.partition(":")
    first, _, count = numbers.partition(":")
    if owner in _ROOTS or not (first.isdecimal() and count.strip().isdecimal()):
        return None
    return int(first), int(count)
