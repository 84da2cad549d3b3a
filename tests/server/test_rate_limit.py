"""Whose turn it is when one user asks too often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.server.rate_limit import BURST, KNOWN_MAX, RateLimit

ALICE, BOB = 1001, 1002
PER_S = 50.0


@pytest.fixture
def rate_limit() -> RateLimit:
    return RateLimit(PER_S)


def test_a_burst_after_a_silence_waits_for_nothing(rate_limit: RateLimit) -> None:
    assert [rate_limit.delay_s(ALICE, 7.0) for _ in range(BURST)] == [0.0] * BURST


def test_the_next_ones_come_evenly(rate_limit: RateLimit) -> None:
    for _ in range(BURST):
        rate_limit.delay_s(ALICE, 7.0)

    assert [round(rate_limit.delay_s(ALICE, 7.0) * PER_S, 6) for _ in range(3)] == [1, 2, 3]


def test_one_users_haste_costs_another_nothing(rate_limit: RateLimit) -> None:
    for _ in range(1000):
        rate_limit.delay_s(ALICE, 7.0)

    assert rate_limit.delay_s(BOB, 7.0) == 0


def test_uids_of_one_account_have_one_turn() -> None:
    rate_limit = RateLimit(PER_S, lambda uid: uid // 1000)
    for uid in range(1000, 1000 + BURST):
        rate_limit.delay_s(uid, 7.0)

    assert rate_limit.delay_s(1999, 7.0) > 0
    assert rate_limit.delay_s(2000, 7.0) == 0


def test_a_silence_is_forgiven(rate_limit: RateLimit) -> None:
    for _ in range(2 * BURST):
        rate_limit.delay_s(ALICE, 7.0)

    assert rate_limit.delay_s(ALICE, 7.0 + 2 * BURST / PER_S) == 0


@given(st.lists(st.floats(0, 0.1), min_size=BURST, max_size=300))
def test_in_the_long_run_nobody_is_served_more_often_than_agreed(gaps: list[float]) -> None:
    rate_limit, now, served = RateLimit(PER_S), 0.0, []
    for gap in gaps:
        now += gap
        served.append(now + rate_limit.delay_s(ALICE, now))

    span = served[-1] - served[0]
    assert len(served) <= BURST + span * PER_S + 1e-6


def test_users_are_forgotten_when_their_time_is_up(rate_limit: RateLimit) -> None:
    for uid in range(KNOWN_MAX):
        rate_limit.delay_s(uid, 0.0)
    rate_limit.delay_s(ALICE, 10.0)

    assert len(rate_limit._due) == 1


async def test_who_may_go_at_once_does_not_wait(rate_limit: RateLimit) -> None:
    await rate_limit.wait(ALICE)
