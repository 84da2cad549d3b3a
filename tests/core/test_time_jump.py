"""A suspend and a set clock are told from a sleep that merely took long."""

from datetime import UTC, datetime, timedelta

import pytest

from broker.core.moment import Moment
from broker.core.time_jump import has_jumped

BEFORE = Moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1000.0)


@pytest.mark.parametrize(
    ("passed_s", "set_by_s", "jumped"),
    [
        (30, 0, False),
        (0.1, 0, False),  # woken early
        (38, 0, False),  # a busy machine
        (41, 0, True),  # suspended
        (8 * 3600, 0, True),
        (30, 9, False),  # corrected a little
        (30, 3600, True),
        (30, -3600, True),
        (0.1, -11, True),
    ],
)
def test_a_jump_is_what_a_sleep_of_half_a_minute_cannot_explain(
    passed_s: float, set_by_s: float, *, jumped: bool
) -> None:
    later = BEFORE.after(passed_s)
    now = Moment(later.wall + timedelta(seconds=set_by_s), later.boot_s)

    assert has_jumped(BEFORE, 30, now) is jumped
