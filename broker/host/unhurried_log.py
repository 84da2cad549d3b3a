"""UnhurriedLog: log lines on their way to a pipe that nobody may be reading, a terminal, or a file whose disk
may hang.

The thread that logs never waits: lines queue, a thread of their own writes them, and those beyond the queue
are counted and left out. `core/log_buffer.py` remembers them all the same.
"""

import contextlib
import copy
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

LINES_MAX = 1000
"""So many records wait to be written."""

END_S = 1.0
"""So long the end of the process waits for what is queued."""

FILE_BYTES_MAX = 1_000_000
"""A log file that grows beyond this begins anew, with its last lines: nothing rotates it."""

REMEMBERED_LINES = 500
REMEMBERED_BYTES = FILE_BYTES_MAX // 2
"""So much of a file it begins anew with: less would hide what led there, more be full at once."""


class UnhurriedLog(logging.Handler):
    """Has `write` write the records, in their order, in a thread of its own. What it cannot write is lost."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        super().__init__()
        self._write = write
        self._lines: deque[str] = deque()
        self._left_out = 0
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record."""
        line = self.format(copy.copy(record))
        with self._changed:
            if len(self._lines) >= LINES_MAX:
                self._left_out += 1
                return
            if self._left_out:
                told = f"{self._left_out} lines were left out: nothing took them; run: brokerctl logs"
                note = logging.LogRecord(__name__, logging.WARNING, "", 0, told, None, None)
                note.name = "broker.log"
                self._left_out = 0
                self._lines.append(self.format(note))
            self._lines.append(line)
            self._begin()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything is written, END_S at most."""
        with self._changed:
            self._begin()
            self._changed.wait_for(lambda: not self._lines, END_S)

    def _begin(self) -> None:
        """Start the writer. Where no thread can be started, the next record tries again."""
        if self._writer is not None or not self._lines:
            return
        writer = threading.Thread(target=self._write_all, name="log", daemon=True)
        try:
            writer.start()
        except RuntimeError:
            return
        self._writer = writer

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                line = self._lines[0]
            with contextlib.suppress(OSError, ValueError):  # the disk is full, or nobody reads any more
                self._write(f"{line}\n".encode(errors="backslashreplace"))
            with self._changed:
                self._lines.popleft()
                self._changed.notify_all()


def to_descriptor(stream: TextIO) -> Callable[[bytes], None]:
    """Writes to the stream's descriptor.

    Not by the stream's own write: its lock would be held by a thread that waits, also at Python's end.
    """

    def write(rest: bytes) -> None:
        descriptor = stream.fileno()
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


class SmallFile:
    """Writes to a regular file, which begins anew with its last lines when it grows beyond FILE_BYTES_MAX.

    Belongs to one thread. Only lines that it wrote itself are last lines: those that still queue follow.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._append = to_descriptor(stream)
        self._last: deque[bytes] = deque(maxlen=REMEMBERED_LINES)

    def __call__(self, line: bytes) -> None:
        """Write the line; raises OSError or ValueError."""
        self._last.append(line)
        self._append(line)
        descriptor = self._stream.fileno()
        if os.fstat(descriptor).st_size > FILE_BYTES_MAX:
            while sum(map(len, self._last)) > REMEMBERED_BYTES:
                self._last.popleft()
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            self._append(b"".join(self._last))
