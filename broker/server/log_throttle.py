"""A limit on how often the log says the same thing, for what a stranger can make us say."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

RECORDS = 5
PERIOD_S = 60.0
"""So many records of one message in so many seconds."""

MESSAGES_MAX = 200
"""Different messages that are counted; all counts start anew beyond that."""


@dataclass(slots=True)
class _Count:
    since: float
    said: int = 0
    unsaid: int = 0


class LogThrottle(logging.Filter):
    """Lets the named loggers say each message RECORDS times in PERIOD_S; then counts.

    A message is its template: arguments do not make it another. The next period's first record tells
    how many were not said. Time is the records' own.
    """

    def __init__(self, loggers: Iterable[str]) -> None:
        super().__init__()
        self._loggers = tuple(loggers)
        self._counts: dict[str, _Count] = {}

    def start(self) -> None:
        """Count from now on."""
        for name in self._loggers:
            logging.getLogger(name).addFilter(self)

    def stop(self) -> None:
        """Let everything through again."""
        for name in self._loggers:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a record within the quota."""
        template = str(record.msg)
        count = self._counts.get(template)
        if count is None or not 0 <= record.created - count.since < PERIOD_S:
            if count is not None and count.unsaid:
                record.msg, record.args = f"{record.getMessage()} (and {count.unsaid} like it before)", None
            if len(self._counts) >= MESSAGES_MAX:
                self._counts.clear()
            count = self._counts[template] = _Count(record.created)
        if count.said >= RECORDS:
            count.unsaid += 1
            return False
        count.said += 1
        return True
