import tomllib
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config.toml_writer import toml_lines

TEXTS = st.text(st.characters(codec="utf-8"))
ONE_LINE_VALUES = st.recursive(
    TEXTS
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.just(UTC)),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(TEXTS, values, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, ONE_LINE_VALUES))
def test_what_is_written_is_read_back_by_tomllib(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_lines(values)) == values


@given(st.dictionaries(TEXTS, ONE_LINE_VALUES))
def test_each_key_is_one_line(values: dict[str, Any]) -> None:
    written = toml_lines(values)

    assert written.count("\n") == len(values)
    assert "\r" not in written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", '"plain"'),
        ('a "b" \\c', r'"a \"b\" \\c"'),
        ("\t\n\r\b\f", r'"\t\n\r\b\f"'),
        ("\x00\x1f\x7f\x85", '"\\u0000\\u001f\\u007f\x85"'),
        ("Zoë 🐍", '"Zoë 🐍"'),
        (True, "true"),
        (3600, "3600"),
        (1e300, "1e+300"),
        ([], "[]"),
        (["a", "b"], '["a", "b"]'),
        ({}, "{}"),
        ({"users": ["bob"], "a b": False}, '{users = ["bob"], "a b" = false}'),
        (date(2026, 1, 2), "2026-01-02"),
        (time(1, 2, 3), "01:02:03"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
    ],
)
def test_values_are_written_as_a_person_would(value: object, written: str) -> None:
    assert toml_lines({"key": value}) == f"key = {written}\n"


@pytest.mark.parametrize(
    ("key", "written"), [("name", "name"), ("A_b-9", "A_b-9"), ("", '""'), ("a.b", '"a.b"'), ("ä", '"ä"')]
)
def test_key_is_quoted_only_where_toml_wants_it(key: str, written: str) -> None:
    assert toml_lines({key: 1}) == f"{written} = 1\n"


@pytest.mark.parametrize("value", [None, b"bytes", [None], object()])
def test_what_toml_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="TOML has no"):
        toml_lines({"key": value})
