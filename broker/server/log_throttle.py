"""A limit on how often one message is logged, for messages that another user can trigger."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

RECORDS = 5
PERIOD_S = 60.0
"""At most RECORDS records of one message in PERIOD_S seconds."""

MESSAGES_MAX = 200
"""Different messages that are counted; all counts start anew beyond that."""


@dataclass(slots=True)
class _Count:
    since: float
    logged: int = 0
    dropped: int = 0


class LogThrottle(logging.Filter):
    """Lets the named loggers log each message RECORDS times in PERIOD_S; drops and counts the rest.

    A message is its template: arguments do not make it another. The next period's first record says
    how many were dropped. The time is that of the records.
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
        """True for a record within the limit."""
        template = str(record.msg)
        count = self._counts.get(template)
        if count is None or not 0 <= record.created - count.since < PERIOD_S:
            if count is not None and count.dropped:
                record.msg, record.args = f"{record.getMessage()} (and {count.dropped} like it before)", None
            if len(self._counts) >= MESSAGES_MAX:
                self._counts.clear()
            count = self._counts[template] = _Count(record.created)
        if count.logged >= RECORDS:
            count.dropped += 1
            return False
        count.logged += 1
        return True
