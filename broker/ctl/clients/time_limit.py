"""A limit on the time that reading takes: parsers and patterns are slow on text that was made to be.

tomllib takes hours for one key of 100,000 parts, configparser for a line of 1 MB without a colon (3.11, run).
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_active: list[float] = []


class TooSlowError(Exception):
    """The time is over."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[bool]:
    """Raise TooSlowError in what is done here when this time is over; inside another limit, that one counts.

    Yields True where the limit is this one. There is none outside the main thread, where signals are handled.
    """
    if _active:
        yield False
        return
    try:
        before = signal.signal(signal.SIGALRM, _end)
    except ValueError:  # not the main thread
        yield False
        return
    _active.append(seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)  # where the alarm can still come, once
    finally:
        signal.signal(signal.SIGALRM, before)
        _active.clear()


def _end(_: int, __: FrameType | None) -> None:
    raise TooSlowError
