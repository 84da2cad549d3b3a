"""How the daemon's log lines look: to the journal with their priority, to anybody else as plain lines."""

import logging
import os
from collections.abc import Mapping
from typing import TextIO

FORMAT = "%(levelname)s %(name)s: %(message)s"
JOURNAL_FORMAT = "%(name)s: %(message)s"

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""syslog(3)'s numbers."""

_DEBUG = 7


def formatter_for(environ: Mapping[str, str], stream: TextIO) -> logging.Formatter:
    """The formatter for `stream`, which $JOURNAL_STREAM says is the journal or not (systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return logging.Formatter(FORMAT)
    is_journal = environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return _WithPriority(JOURNAL_FORMAT) if is_journal else logging.Formatter(FORMAT)


class _WithPriority(logging.Formatter):
    """Begins every line, those of a traceback too, with the priority that the journal files it under."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), _DEBUG)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).split("\n"))
