"""A failure carries facts: what failed, what to type, what a service said."""

import pytest

from broker.core.failures import (
    ADD_TO,
    LOOK_ROUND,
    BadRequest,
    Failure,
    NoSource,
    Refused,
    SignInNeeded,
    Unavailable,
    advice,
)


@pytest.mark.parametrize("kind", [BadRequest, SignInNeeded, NoSource, Refused, Unavailable])
def test_a_failure_keeps_what_failed_and_what_helps(kind: type[Failure]) -> None:
    failure = kind("x", hint="h")

    assert (failure.detail, str(failure), failure.hint) == ("x", "x", "h")


@pytest.mark.parametrize("kind", [BadRequest, SignInNeeded, NoSource, Refused])
def test_without_a_remedy_there_is_no_hint(kind: type[Failure]) -> None:
    assert kind("x").hint is None


def test_for_what_is_unavailable_one_can_always_look_round() -> None:
    assert Unavailable("x").hint == LOOK_ROUND


def test_a_missing_sign_in_drops_nothing_unless_it_says_so() -> None:
    assert not SignInNeeded("x").drops_token
    assert SignInNeeded("x", drops_token=True).drops_token


def test_a_services_own_wish_is_kept() -> None:
    assert Unavailable("x").retry_after_s is None
    assert Unavailable("x", retry_after_s=7).retry_after_s == 7


@pytest.mark.parametrize(
    ("hint", "told"),
    [("az login", "run: az login"), (f"{ADD_TO}pipeline.yml: env:", "add to pipeline.yml: env:")],
)
def test_a_hint_is_told_as_a_command_or_as_lines_for_a_file(hint: str, told: str) -> None:
    assert advice(hint) == told
