"""UnhurriedLog: log lines on their way to a pipe or terminal, which nobody may be reading.

The thread that logs never waits: lines queue, a thread of their own writes them, and those beyond the queue
are counted and left out. `core/log_buffer.py` remembers them all the same.
"""

import copy
import logging
import os
import threading
from collections import deque
from typing import TextIO

LINES_MAX = 1000
"""So many records wait for a reader."""

END_S = 1.0
"""So long the end of the process waits for what is queued."""


class UnhurriedLog(logging.Handler):
    """Writes records to the file descriptor of `stream`, in their order, from a thread of its own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
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
                told = f"{self._left_out} lines were left out: nobody read them; run: brokerctl logs"
                note = logging.LogRecord(__name__, logging.WARNING, "", 0, told, None, None)
                note.name = "broker.log"
                self._left_out = 0
                self._lines.append(self.format(note))
            self._lines.append(line)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="log", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything is written, END_S at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines, END_S)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                line = self._lines[0]
            self._write(f"{line}\n")
            with self._changed:
                self._lines.popleft()
                self._changed.notify_all()

    def _write(self, text: str) -> None:
        # not the stream's own write: its lock would be held by a thread that waits, also at Python's end
        try:
            rest = text.encode(errors="backslashreplace")
            descriptor = self._stream.fileno()
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except (OSError, ValueError):
            return  # nobody will ever read it
