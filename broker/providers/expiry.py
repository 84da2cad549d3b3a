"""When a token ends, as the service that issues it writes it: RFC 3339, or seconds since 1970.

No I/O and no clock. A missing end is None; one that is there and cannot be read is another matter
(`end_of`). A JWT's own end is read by `jwt.py`.
"""

import re
from datetime import UTC, datetime, timedelta


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


LIFE_MAX_S = 10 * 365 * 86400.0
"""A longer `expires_in` is a mistake, and none that a date could hold."""


def end_after(told: object, now: datetime) -> datetime | None:
    """The end of what lives so many seconds from `now`, as `expires_in` says it (RFC 6749 section 5.1).

    None where nothing was told. A number, or the digits of one, as Azure's older endpoints send it. Raises
    ValueError for anything but 0 < seconds < LIFE_MAX_S.
    """
    if told is None:
        return None
    if isinstance(told, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", told):
        told = float(told)
    is_number = isinstance(told, int | float) and not isinstance(told, bool)
    if not isinstance(told, int | float) or not is_number or not 0 < told < LIFE_MAX_S:
        raise ValueError("its expires_in is not a number of seconds above 0 and below ten years")
    return now + timedelta(seconds=told)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the known times, or None when none is known."""
    return min((moment for moment in moments if moment is not None), default=None)
