from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from broker.ctl.ui.humanize import ago, clock_time, duration

NOW = datetime(2026, 11, 21, 9, 45, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11520, "3 h 12 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d"),
        (100000, "1 d 3 h"),
        (863999, "9 d 23 h"),
        (31622400, "366 d"),
    ],
)
def test_duration_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (0.9, "just now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (150, "2 min ago"),
        (7199, "1 h ago"),
        (200000, "2 d ago"),
    ],
)
def test_age_has_one_unit(seconds: float, words: str) -> None:
    assert ago(seconds) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 11, 21, 7, 14, tzinfo=UTC), "09:14"),
        (datetime(2026, 11, 20, 22, 30, tzinfo=UTC), "00:30"),
        (datetime(2026, 11, 20, 21, 30, tzinfo=UTC), "2026-11-20 23:30"),
    ],
)
def test_time_of_day_is_in_the_readers_zone_and_dated_unless_today(moment: datetime, words: str) -> None:
    assert clock_time(moment, NOW) == words
