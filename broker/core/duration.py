"""Durations as people write them in a configuration: `50m`, `12h`, `1h30m`, `90s`. Finite, never negative."""

import re

DURATION_MAX_S = 36_500 * 86_400.0
"""A hundred years: more is a slip, and farther than a calendar's arithmetic goes."""

HOW_TO_WRITE = 'write a duration as a number and a unit, such as "50m", "12h" or "90s"'

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Return the seconds that the text names, at most DURATION_MAX_S.

    Raises ValueError saying how to write one.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(HOW_TO_WRITE)
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    if seconds > DURATION_MAX_S:  # infinite, too: a number of 400 digits
        raise ValueError(f"no duration is longer than 36500d: {HOW_TO_WRITE}")
    return seconds


def positive_duration(value: object) -> float:
    """Return the seconds that a text or a number of seconds names: above 0, at most DURATION_MAX_S.

    Raises ValueError saying how to write one, for anything else: NaN, infinities and booleans too.
    """
    seconds = parse_duration(value) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError(HOW_TO_WRITE)  # noqa: TRY004 - pydantic hears ValueError
    if not 0 < seconds <= DURATION_MAX_S:
        raise ValueError(f"a duration is above 0 and at most 36500d: {HOW_TO_WRITE}")
    return float(seconds)
