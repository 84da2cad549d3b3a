"""Where the daemon's log lines go and how they look: to the journal with their priority, to files and
terminals as plain lines, and into memory. A file stays small: nobody rotates it.

The types see to it that no secret is in a line of ours; what libraries say is looked through besides.
"""

import logging
import os
import re
import stat
from collections.abc import Mapping
from typing import TextIO

from broker.core.recollection import Recollection

FORMAT = "%(levelname)s %(name)s: %(message)s"
FILE_FORMAT = f"%(asctime)s {FORMAT}"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
JOURNAL_FORMAT = "%(name)s: %(message)s"

FILE_BYTES_MAX = 1_000_000
"""A log file that grows beyond this begins anew, with the lines that are remembered."""

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""syslog(3)'s numbers."""

_DEBUG = 7

_SECRET = re.compile(
    r"(?<=://)[^/@\s]+(?=@)"  # a URL's userinfo
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|(?<=Bearer )\S+|(?<=Basic )\S+",
    re.ASCII,
)


def handlers_for(
    environ: Mapping[str, str], stream: TextIO, recollection: Recollection
) -> list[logging.Handler]:
    """The handlers for a daemon whose stderr is `stream`."""
    out: logging.Handler = logging.StreamHandler(stream)
    if _is_file(stream):
        out = _SmallFile(stream, recollection)
    out.setFormatter(formatter_for(environ, stream))
    memory = _Memory(recollection)
    memory.setFormatter(_Redacting(FILE_FORMAT, TIME_FORMAT))
    return [memory, out]


def formatter_for(environ: Mapping[str, str], stream: TextIO) -> logging.Formatter:
    """The formatter for `stream`, which $JOURNAL_STREAM says is the journal or not (systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return _Redacting(FORMAT)
    if environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}":
        return _WithPriority(JOURNAL_FORMAT)
    return _Redacting(FILE_FORMAT, TIME_FORMAT) if stat.S_ISREG(found.st_mode) else _Redacting(FORMAT)


def redacted(text: str) -> str:
    """The text without what is secret by its form: a URL's userinfo, a JWT, an Authorization header."""
    return _SECRET.sub("****", text)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        return redacted(super().format(record))


class _WithPriority(_Redacting):
    """Begins every line, those of a traceback too, with the priority that the journal files it under."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), _DEBUG)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).split("\n"))


class _Memory(logging.Handler):
    def __init__(self, recollection: Recollection) -> None:
        super().__init__()
        self._recollection = recollection

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the record."""
        self._recollection.add(self.format(record))


class _SmallFile(logging.StreamHandler[TextIO]):
    """Comes after the memory: what a file begins anew with, the record itself included, lies there."""

    def __init__(self, stream: TextIO, recollection: Recollection) -> None:
        super().__init__(stream)
        self._recollection = recollection

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        super().emit(record)
        descriptor = self.stream.fileno()
        if os.fstat(descriptor).st_size > FILE_BYTES_MAX:
            remembered, _ = self._recollection.after(0)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            self.stream.write("\n".join([*remembered, ""]))
            self.flush()


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
