"""Durations as people write them."""

import pytest

from broker.core.duration import DURATION_MAX_S, parse_duration, positive_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("50m", 3000),
        ("12h", 43200),
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("2d", 172800),
    ],
)
def test_numbers_with_units_are_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "50", "m", "50 m", "-5m", "5x", "5m!", "1h 30m", "inf"])
def test_everything_else_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="duration") as raised:
        parse_duration(text)

    assert str(raised.value) == 'write a duration as a number and a unit, such as "50m", "12h" or "90s"'


@pytest.mark.parametrize("text", ["9" * 400 + "h", "9" * 5000 + "s", "36501d", "1" + "0" * 18 + "s"])
def test_no_duration_is_longer_than_a_calendar_can_count(text: str) -> None:
    with pytest.raises(ValueError, match="no duration is longer than 36500d"):
        parse_duration(text)


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), -float("inf"), 1e18, 0, -1, "0s", True, None, 10**4000, [], b"5m"]
)
def test_what_is_no_finite_positive_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="write a duration as a number and a unit"):
        positive_duration(value)


@pytest.mark.parametrize(
    ("value", "seconds"), [("5m", 300), (3000, 3000), (0.5, 0.5), ("36500d", DURATION_MAX_S)]
)
def test_a_duration_is_a_text_or_a_number_of_seconds(value: object, seconds: float) -> None:
    assert positive_duration(value) == seconds
