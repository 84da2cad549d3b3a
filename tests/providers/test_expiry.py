import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.providers.expiry import earliest, end_of, from_epoch, from_rfc3339


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1767225600, datetime(2026, 1, 1, tzinfo=UTC)),
        (1767225600.5, datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("1767225600", datetime(2026, 1, 1, tzinfo=UTC)),
        (None, None),
        (True, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("9" * 5000, None),
        (1e300, None),
        (math.nan, None),
        (math.inf, None),
        ([5], None),
    ],
)
def test_a_time_is_read_from_seconds_or_not_at_all(seconds: object, moment: datetime | None) -> None:
    assert from_epoch(seconds) == moment


@pytest.mark.parametrize(
    ("told", "ends"),
    [
        (None, None),
        (1767225600, datetime(2026, 1, 1, tzinfo=UTC)),
        ("1767225600", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T02:00:00.000000+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        (-5, datetime(1969, 12, 31, 23, 59, 55, tzinfo=UTC)),
    ],
)
def test_an_end_is_read_in_either_form_and_none_that_was_not_told(
    told: object, ends: datetime | None
) -> None:
    assert end_of(told) == ends


@pytest.mark.parametrize(
    "told",
    [
        "",
        "soon",
        "1767225600.5",
        "2026-01-01",
        "2026-01-01T00:00:00",
        1767225600000,
        10**30,
        math.inf,
        True,
        {},
        ["2026-01-01T00:00:00Z"],
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_an_end_that_was_told_and_cannot_be_read_is_not_taken_for_none(told: object) -> None:
    with pytest.raises(ValueError, match=r"^its end is neither RFC 3339 with a zone nor seconds since 1970$"):
        end_of(told)


def test_the_earliest_known_time_counts() -> None:
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)

    assert earliest(second, None, first) == first
    assert earliest(None, None) is None


@given(st.text() | st.integers() | st.floats() | st.datetimes(timezones=st.timezones()).map(str))
def test_nothing_makes_reading_raise(told: object) -> None:
    from_epoch(told)
    from_rfc3339(told)
