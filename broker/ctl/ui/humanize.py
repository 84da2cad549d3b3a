"""Times as people say them: `3 h 12 min`, `12 s ago`, `since 09:14`."""

from datetime import datetime

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
LONG_S = 10 * DAY_S
"""From here on hours are not shown."""


def duration(seconds: float) -> str:
    """The two largest units that matter; minutes are whole, and less than a minute is in seconds."""
    whole = max(0, int(seconds))
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    if whole < DAY_S:
        return _two(whole // HOUR_S, "h", whole % HOUR_S // MINUTE_S, "min")
    return _two(whole // DAY_S, "d", whole % DAY_S // HOUR_S if whole < LONG_S else 0, "h")


def ago(seconds: float) -> str:
    """How long ago, in one unit: a finer time would only be harder to read."""
    whole = int(seconds)
    if whole < 1:
        return "just now"
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if whole >= unit_s:
            return f"{whole // unit_s} {unit} ago"
    return f"{whole} s ago"


def clock_time(moment: datetime, now: datetime) -> str:
    """The time of day in `now`'s zone, with the date when it was not today."""
    local = moment.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"
