"""Durations as people write them in a configuration: `50m`, `12h`, `1h30m`, `90s`."""

import re

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Return the seconds that the text names; raises ValueError saying how to write one."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError('write a duration as a number and a unit, such as "50m", "12h" or "90s"')
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)
