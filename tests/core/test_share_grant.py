"""What a share is granted for, and that the next daemon reads what this one wrote."""

import json
from datetime import UTC, datetime
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.duration import parse_duration
from broker.core.failures import BadRequest
from broker.core.moment import Moment
from broker.core.share_grant import LINGER_S, LONGEST_S, Grant, from_record, granted, to_record
from tests.fake_clock import START

HOUR_S = 3600.0


def dev(for_s: float = 8 * HOUR_S) -> Grant:
    return granted("dev", ["corp", "tools", "corp"], for_s, START)


def test_a_share_lives_as_long_as_it_was_granted_for() -> None:
    assert dev() == Grant("dev", ("corp", "tools"), 8 * HOUR_S, START.after(8 * HOUR_S))


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 33, "$(id)", "dev\n"])
def test_a_name_that_is_no_folder_and_no_word_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="is no name for a share") as refused:
        granted(name, ["corp"], HOUR_S, START)

    assert refused.value.hint == "brokerctl share --help"


@pytest.mark.parametrize("for_s", [0.0, 0.99, -1.0, LONGEST_S + 1, float("inf"), float("nan")])
def test_a_life_without_an_end_is_refused(for_s: float) -> None:
    with pytest.raises(BadRequest) as refused:
        dev(for_s)

    assert refused.value.detail == "a share lives for at least a second and at most 7 days"
    assert refused.value.hint == "brokerctl share --help"


@pytest.mark.parametrize("for_s", [1.0, LONGEST_S])
def test_a_share_lives_from_a_second_to_a_week(for_s: float) -> None:
    assert dev(for_s).for_s == for_s


@pytest.mark.parametrize(
    ("for_s", "written"),
    [(8 * HOUR_S, "8h"), (5400, "90m"), (86400, "1d"), (90061, "90061s"), (1.5, "2s"), (1.0, "1s")],
)
def test_the_renewal_is_the_command_that_grants_it_anew(for_s: float, written: str) -> None:
    assert dev(for_s).renewal == f"brokerctl share --feed corp --feed tools --for {written} --name dev"
    assert parse_duration(written) == pytest.approx(for_s, abs=0.5)


def test_an_ended_share_is_remembered_for_a_week() -> None:
    ended = START.after(8 * HOUR_S)

    assert not dev().is_forgotten(ended.after(LINGER_S - 1))
    assert dev().is_forgotten(ended.after(LINGER_S))


@given(st.floats(1, LONGEST_S), st.datetimes(timezones=st.just(UTC)), st.floats(0, 1e9))
def test_what_one_daemon_writes_the_next_one_reads(for_s: float, wall: datetime, boot_s: float) -> None:
    grant = Grant("dev", ("corp",), for_s, Moment(wall, boot_s))

    assert from_record(json.loads(json.dumps(to_record(grant)))) == grant


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc"},
        {"name": 5},
        {"feeds": "corp"},
        {"feeds": [1]},
        {"for_s": "8h"},
        {"ends_at": "soon"},
        {"ends_at": "2026-01-01T00:00:00"},
        {"ends_boot_s": None},
        *({"for_s": seconds} for seconds in (inf, -inf, nan, 0, -1, 1e18, 10**400)),
        *({"ends_boot_s": seconds} for seconds in (inf, -inf, nan, -1, 1e18, 10**400)),
    ],
)
def test_what_no_daemon_wrote_is_no_share(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^this is not the record of a share$|isoformat"):
        from_record({**to_record(dev()), **change})
