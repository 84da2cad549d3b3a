"""When a token ends, as the service that issues it writes it: RFC 3339, or seconds since 1970.

No I/O and no clock. A missing end is None; one that is there and cannot be read is another matter
(`end_of`). A JWT's own end is read by `jwt.py`.
"""

from datetime import UTC, datetime


def from_epoch(seconds: object) -> datetime | None:
    """The UTC time that many seconds after 1970, given as a number or its digits; None for anything else."""
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal():
        seconds = int(seconds[:20])
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def from_rfc3339(text: object) -> datetime | None:
    """A time in RFC 3339 with a zone, in UTC; None for anything else."""
    try:
        told = datetime.fromisoformat(text if isinstance(text, str) else "")
        return None if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: the year 1 or 9999, west or east of Greenwich
        return None


def end_of(told: object) -> datetime | None:
    """The end in either form, in UTC; None where none was told.

    Raises ValueError for one that cannot be read: to guess none would hand out dead tokens.
    """
    if told is None:
        return None
    ends = from_epoch(told) or from_rfc3339(told)
    if ends is None:
        raise ValueError("its end is neither RFC 3339 with a zone nor seconds since 1970")
    return ends


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the known times, or None when none is known."""
    return min((moment for moment in moments if moment is not None), default=None)
