"""Durations as people write them."""

import pytest

from broker.core.duration import parse_duration


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
