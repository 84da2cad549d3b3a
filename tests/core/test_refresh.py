"""The rules of renewal, by tables and by properties over whole lives."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.credential import Credential, Secret
from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import Realm, SlotKey
from broker.core.moment import Moment
from broker.core.refresh import (
    Join,
    RefreshNow,
    RefreshPolicy,
    Reject,
    Rest,
    Serve,
    Slot,
    State,
    WaitUntil,
    after_failure,
    after_success,
    next_step,
    on_lookup,
    turn_in_s,
)

KEY = SlotKey(Realm("azure", "acme"), "default", "read", "session")
EMPTY = Slot(KEY)
POLICY = RefreshPolicy(ttl_s=3000.0)
NOW = Moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1000.0)


def token(life_s: float | None, text: str = "token", now: Moment = NOW) -> Credential:
    ends = None if life_s is None else now.wall + timedelta(seconds=life_s)
    return Credential("VssSessionToken", Secret(text), ends, "azure-cli")


def fresh(life_s: float | None = 3600.0, jitter: float = 0.0) -> Slot:
    return after_success(EMPTY, token(life_s), POLICY, NOW, jitter)


def failed(failure: NotObtained, slot: Slot = EMPTY, now: Moment = NOW, jitter: float = 0.0) -> Slot:
    return after_failure(slot, failure, now, jitter)


@pytest.mark.parametrize(
    ("life_s", "due_s"),
    [
        (None, 3000),  # no end known: the flat rule
        (86400, 3000),  # a long one: by age
        (3600, 3000),  # an Entra token: age and end agree, 5 min before
        (3000, 2700),  # 10 % of its life is 5 min
        (1800, 1620),  # half used: 10 % before its own end
        (20, 18),
        (5, 4.5),
        (0.5, 1),  # never more often than once a second
    ],
)
def test_a_token_is_due_at_its_ttl_or_before_its_own_end(life_s: float | None, due_s: float) -> None:
    assert fresh(life_s).held is not None
    assert fresh(life_s).held.due == NOW.after(due_s)  # type: ignore[union-attr]


def test_an_end_that_a_tool_did_not_say_is_not_endless() -> None:
    told = replace(token(None), is_end_unknown=True)

    first = after_success(EMPTY, told, POLICY, NOW, 0.0)
    again = after_success(first, told, POLICY, NOW, 0.0)

    for slot in (first, again):
        assert slot.held is not None
        assert (slot.held.due, slot.held.ends) == (NOW.after(300), None)


def test_jitter_makes_it_due_at_most_a_tenth_earlier() -> None:
    held = fresh(3600, jitter=0.999999).held

    assert held is not None
    assert held.due.left_s(NOW) == pytest.approx(2700, abs=1)


@pytest.mark.parametrize(
    ("after_s", "state", "is_served"),
    [
        (0, State.FRESH, True),
        (2999, State.FRESH, True),
        (3000, State.DUE, True),
        (3599.9, State.DUE, True),
        (3600, State.EXPIRED, False),
    ],
)
def test_a_held_token_is_served_until_its_own_end(after_s: float, state: State, is_served: bool) -> None:
    now = NOW.after(after_s)

    assert fresh().state(now) is state
    assert isinstance(on_lookup(fresh(), now), Serve) is is_served


def test_a_wall_clock_set_back_does_not_lengthen_a_tokens_life() -> None:
    now = Moment(NOW.wall - timedelta(hours=1), NOW.boot_s + 3600)

    assert fresh().live(now) is None


def test_a_wall_clock_set_forward_ends_a_token_at_once() -> None:
    now = Moment(NOW.wall + timedelta(hours=1), NOW.boot_s + 1)

    assert fresh().live(now) is None


@pytest.mark.parametrize("life_s", [-1, 0])
def test_a_token_that_has_already_ended_is_a_failed_attempt(life_s: float) -> None:
    slot = after_success(EMPTY, token(life_s), POLICY, NOW, 0)

    assert slot.held is None
    assert slot.state(NOW) is State.FAILING
    assert slot.last_failure is not None
    assert slot.last_failure.failure.detail == "azure-cli handed out a token that had already ended"


def test_what_is_held_stays_when_a_token_that_has_ended_comes() -> None:
    slot = after_success(fresh(), token(-1), POLICY, NOW, 0)

    assert slot.live(NOW) == token(3600)


def test_a_success_keeps_the_slots_key_and_the_time() -> None:
    slot = fresh()

    assert slot.key == KEY
    assert slot.held is not None
    assert slot.held.obtained == NOW


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (Unavailable("x"), State.FAILING),
        (Refused("x"), State.REFUSED),
        (SignInNeeded("x"), State.SIGN_IN_NEEDED),
    ],
)
def test_the_last_failures_word_is_the_state(failure: NotObtained, state: State) -> None:
    assert failed(failure, fresh()).state(NOW) is state


def test_what_is_left_is_told_by_the_clock_that_says_less_and_is_never_negative() -> None:
    moment = NOW.after(100)

    assert moment.left_s(NOW) == 100
    assert moment.left_s(Moment(NOW.wall, NOW.boot_s + 60)) == 40
    assert moment.left_s(Moment(NOW.wall + timedelta(seconds=70), NOW.boot_s)) == 30
    assert moment.left_s(NOW.after(100)) == 0
    assert moment.left_s(NOW.after(1000)) == 0


def test_a_secret_that_has_ended_and_that_nobody_else_replaces_needs_a_person() -> None:
    ended = replace(token(-1), manual_renewal="put another into env:TOKEN", replacing="the line")
    slot = after_success(EMPTY, ended, POLICY, NOW, 0)

    assert slot.state(NOW) is State.SIGN_IN_NEEDED
    assert slot.last_failure is not None
    assert slot.last_failure.failure.detail.endswith("ended on 2026-01-02: put another into env:TOKEN")
    assert slot.last_failure.failure.hint == "the line"


def test_the_same_token_again_is_asked_for_at_half_of_what_is_left() -> None:
    now = NOW.after(3300)
    slot = after_success(fresh(), token(3600), POLICY, now, 0)

    assert next_step(slot, POLICY, now, now) == WaitUntil(now.after(150))


def test_the_same_token_again_and_again_costs_few_calls_until_its_end() -> None:
    slot, now, calls = fresh(), NOW, 0
    while not (slot.held is not None and slot.held.ends is not None and slot.held.ends.reached(now)):
        step = next_step(slot, POLICY, now, now)
        if isinstance(step, WaitUntil):
            now = step.moment
        else:
            calls += 1
            slot = after_success(slot, token(3600), POLICY, now, 0)
            if slot.last_failure is not None:
                break

    assert calls <= 8


def test_the_same_long_lived_token_is_asked_for_once_per_ttl() -> None:
    now = NOW.after(3000)
    slot = after_success(fresh(86400), token(86400), POLICY, now, 0)

    assert next_step(slot, POLICY, now, now) == WaitUntil(now.after(3000))


def test_an_empty_slot_is_fetched_at_once() -> None:
    assert next_step(EMPTY, POLICY, NOW, NOW) == RefreshNow()


def started(*seconds: float) -> list[Moment]:
    return [NOW.after(each) for each in seconds]


@pytest.mark.parametrize(
    ("slot", "before", "turn_s"),
    [
        (fresh(), started(), 0),
        (fresh(), started(0, 0, 0, 0), 0),
        (fresh(), started(0, 0, 0, 0, 0), 1),
        (fresh(), started(-5, -0.4, 0, 0, 0, 0), 0.6),
        (fresh(), started(-1, 0, 0, 0, 0), 0),
        (fresh(None), started(0, 0, 0, 0, 0), 1),
        (fresh(60.5), started(0, 0, 0, 0, 0), 1),
        (fresh(60), started(0, 0, 0, 0, 0), 0),
        (EMPTY, started(0, 0, 0, 0, 0), 0),
    ],
)
def test_five_renewals_a_second_unless_a_token_is_about_to_end(
    slot: Slot, before: list[Moment], turn_s: float
) -> None:
    assert turn_in_s(slot, before, NOW) == pytest.approx(turn_s)


def test_nothing_is_renewed_that_nobody_asks_for_any_more() -> None:
    policy = RefreshPolicy(idle_s=60)

    assert next_step(fresh(), policy, NOW.after(3001), NOW) == Rest()


def test_a_failure_keeps_the_token_and_its_own_word() -> None:
    slot = failed(Unavailable("no network"), fresh())

    assert slot.live(NOW) is not None
    assert slot.state(NOW) is State.FAILING


def test_a_definite_sign_out_drops_the_token() -> None:
    slot = failed(SignInNeeded("signed out", drops_token=True), fresh())

    assert slot.live(NOW) is None
    assert slot.state(NOW) is State.SIGN_IN_NEEDED


def test_a_success_ends_all_trouble() -> None:
    slot = after_success(failed(Unavailable("no network")), token(3600), POLICY, NOW, 0)

    assert slot.last_failure is None


def waits(failure: NotObtained, slot: Slot, attempts: int) -> list[float]:
    found, now = [], NOW
    for _ in range(attempts):
        slot = failed(failure, slot, now)
        step = next_step(slot, POLICY, now, now)
        assert isinstance(step, WaitUntil)
        found.append(step.moment.left_s(now))
        now = step.moment
    return found


@pytest.mark.parametrize("slot", [EMPTY, fresh(86400)], ids=["nothing held", "a token held"])
def test_retries_double_to_five_minutes(slot: Slot) -> None:
    assert waits(Unavailable("x"), slot, 11) == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])


def test_a_services_own_retry_after_is_obeyed_until_our_own_is_longer() -> None:
    assert waits(Unavailable("x", retry_after_s=17), EMPTY, 6) == pytest.approx([17, 17, 17, 17, 17, 32])


@pytest.mark.parametrize(("jitter", "after_s"), [(0, 60), (0.5, 90), (0.999999, 120)])
def test_those_sent_away_together_come_back_later_than_told_and_apart(jitter: float, after_s: float) -> None:
    slot = failed(Unavailable("x", retry_after_s=60), jitter=jitter)

    assert slot.last_failure is not None
    assert slot.last_failure.retry is not None
    assert slot.last_failure.retry.left_s(NOW) == pytest.approx(after_s, abs=0.01)


def test_a_service_cannot_send_us_away_for_ever() -> None:
    assert waits(Unavailable("x", retry_after_s=1e9), EMPTY, 1) == pytest.approx([3600])


def test_a_definite_no_is_asked_again_after_minutes() -> None:
    assert waits(Refused("x"), EMPTY, 5) == pytest.approx([300, 600, 1200, 2400, 3600])


@pytest.mark.parametrize(("jitter", "retry_s"), [(0.0, 2.0), (0.5, 1.8), (0.999999, 1.6)])
def test_jitter_brings_a_retry_forward_by_at_most_a_fifth(jitter: float, retry_s: float) -> None:
    slot = failed(Unavailable("x"), failed(Unavailable("x")), jitter=jitter)

    assert slot.last_failure is not None
    assert slot.last_failure.retry is not None
    assert slot.last_failure.retry.left_s(NOW) == pytest.approx(retry_s, abs=0.001)


def test_a_thousand_failures_overflow_nothing() -> None:
    slot = EMPTY
    for _ in range(1100):
        slot = failed(Unavailable("x"), slot)

    assert next_step(slot, POLICY, NOW, NOW) == WaitUntil(NOW.after(300))


def test_a_missing_sign_in_is_not_retried_by_ourselves() -> None:
    slot = failed(SignInNeeded("x"))

    assert next_step(slot, POLICY, NOW.after(1e6), NOW.after(1e6)) == Rest()


@given(st.floats(0, 0.999), st.booleans())
def test_an_hours_outage_costs_at_most_thirty_calls(jitter: float, is_live: bool) -> None:
    slot, now, calls = (fresh(86400) if is_live else EMPTY), NOW, 0
    while not NOW.after(3600).reached(now):
        slot = failed(Unavailable("no network"), slot, now, jitter)
        calls += 1
        step = next_step(slot, POLICY, now, now)
        assert isinstance(step, WaitUntil)
        now = step.moment

    assert calls <= 30


UNAVAILABLE, ASKED_TO_WAIT = Unavailable("x"), Unavailable("x", retry_after_s=60)
ASKED_TO_COME_AT_ONCE = Unavailable("x", retry_after_s=0)


@pytest.mark.parametrize(
    ("failure", "after_s", "tries_anew"),
    [
        (UNAVAILABLE, 4.9, False),
        (UNAVAILABLE, 5, True),
        (ASKED_TO_WAIT, 59, False),
        (ASKED_TO_WAIT, 60, True),
        (ASKED_TO_COME_AT_ONCE, 4.9, False),
        (ASKED_TO_COME_AT_ONCE, 5, True),
        (Refused("x"), 29, False),
        (Refused("x"), 30, True),
        (SignInNeeded("x"), 1e6, False),
    ],
)
def test_a_held_reason_answers_for_a_while_only(
    failure: NotObtained, after_s: float, tries_anew: bool
) -> None:
    step = on_lookup(failed(failure), NOW.after(after_s))

    assert step == (Join() if tries_anew else Reject(failure))


@pytest.mark.parametrize(("after_s", "tries_anew"), [(29, False), (30, True)])
def test_a_sign_in_that_nobody_watches_is_tried_anew_after_half_a_minute(
    after_s: float, tries_anew: bool
) -> None:
    step = on_lookup(failed(SignInNeeded("x")), NOW.after(after_s), watched=False)

    assert isinstance(step, Join) is tries_anew


@pytest.mark.parametrize("failure", [UNAVAILABLE, Refused("x"), SignInNeeded("x")])
def test_a_live_token_is_served_whatever_became_of_its_renewal(failure: NotObtained) -> None:
    slot = failed(failure, fresh())

    assert on_lookup(slot, NOW.after(3599)) == Serve(token(3600))


def test_a_question_for_an_empty_or_expired_slot_joins() -> None:
    assert on_lookup(EMPTY, NOW) == Join()
    assert on_lookup(fresh(), NOW.after(3601)) == Join()


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 4000),
        st.one_of(
            st.floats(-10, 8000).map(lambda life_s: life_s),
            st.sampled_from(
                [Unavailable("x"), Refused("x"), SignInNeeded("x"), SignInNeeded("x", drops_token=True)]
            ),
        ),
        st.floats(0, 0.999),
        st.floats(-3600, 3600),
    ),
    max_size=12,
)


@given(EVENTS)
def test_whatever_happens_no_token_is_served_past_its_end(
    events: list[tuple[float, object, float, float]],
) -> None:
    slot, now, count = EMPTY, NOW, 0
    ends: dict[str, Moment] = {}
    for wait_s, event, jitter, wall_jump_s in events:
        now = now.after(wait_s)
        now = now._replace(wall=now.wall + timedelta(seconds=max(0.0, wall_jump_s)))
        if isinstance(event, NotObtained):
            slot = after_failure(slot, event, now, jitter)
        elif isinstance(event, float):
            count += 1
            ends[f"t{count}"] = now.after(event)
            slot = after_success(slot, token(event, f"t{count}", now), POLICY, now, jitter)
        step = on_lookup(slot, now)
        if isinstance(step, Serve):
            assert not ends[step.credential.secret.reveal()].reached(now)
