"""What happened at a fake, in order, for tests to read: an append-only list that threads may share.
Next: `http1.py`, the talk that fills most journals.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Entry = TypeVar("Entry")

PATIENCE_S = 60.0  # longer than anything a healthy test waits for on a busy machine


class Journal(Generic[Entry]):
    """Entries in the order they were written."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._grown = threading.Condition()

    def add(self, entry: Entry) -> None:
        """Write one entry, and wake those who wait for it."""
        with self._grown:
            self._entries.append(entry)
            self._grown.notify_all()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything written so far."""
        with self._grown:
            return tuple(self._entries)

    def clear(self) -> None:
        """Forget everything written so far."""
        with self._grown:
            self._entries.clear()

    def wait_for(self, count: int, patience_s: float = PATIENCE_S) -> tuple[Entry, ...]:
        """The entries, as soon as there are `count` of them. Raises TimeoutError after `patience_s`."""
        with self._grown:
            if not self._grown.wait_for(lambda: len(self._entries) >= count, patience_s):
                raise TimeoutError(f"{len(self._entries)} entries after {patience_s} s, {count} expected")
            return tuple(self._entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)
