from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ctl.found_feeds import broker as seen
from tests.ctl.found_feeds import feed
from tests.ctl.stand_in import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]


def test_refresh_says_how_long_the_new_token_lives(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["POST /v1/feeds/corp/refresh"] = 200, feed("corp", left_s=3599)

    ended = brokerctl("refresh", "corp")

    assert (ended.exit_code, ended.stdout) == (0, "corp: new token for 59 min\n")


def test_refresh_of_all_fetches_once_per_credential(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers |= {
        "GET /v1/status": (200, seen(feed("corp"), feed("tools", shares="corp"), feed("pat"))),
        "POST /v1/feeds/corp/refresh": (200, feed("corp")),
        "POST /v1/feeds/pat/refresh": (200, feed("pat", left_s=None)),
    }

    ended = brokerctl("refresh")

    assert ended.stdout == "corp: new token for 41 min\npat: new token with no expiry\n"
    assert broker.asked[1:] == ["POST /v1/feeds/corp/refresh", "POST /v1/feeds/pat/refresh"]


def test_refresh_of_all_goes_on_after_a_failure_and_ends_with_the_worst_code(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers |= {
        "GET /v1/status": (200, seen(feed("labs"), feed("down"), feed("corp"))),
        "POST /v1/feeds/labs/refresh": problem(
            401, "sign-in-needed", "expired", hint="az login", feed="labs"
        ),
        "POST /v1/feeds/down/refresh": problem(503, "unavailable", "away", feed="down"),
        "POST /v1/feeds/corp/refresh": (200, feed("corp")),
    }

    ended = brokerctl("refresh")

    assert ended.exit_code == 4
    assert ended.stderr == "token-broker: labs: expired; run: az login\ntoken-broker: down: away\n"
    assert ended.stdout == "corp: new token for 41 min\n"


def test_refresh_says_why_there_are_no_feeds(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    place = "config.toml, line 3: unknown key tll, did you mean ttl?"
    broker.answers["GET /v1/status"] = 200, seen(error=place, hint="brokerctl reload")

    ended = brokerctl("refresh")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == f"token-broker: {place}; run: brokerctl reload\n"


def test_forget_says_what_comes_next(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["POST /v1/feeds/corp/forget"] = 200, feed("corp")

    ended = brokerctl("forget", "corp")

    assert ended.stdout == "corp: token dropped; the next look-up fetches a new one\n"


@pytest.mark.parametrize("verb", ["refresh", "forget"])
def test_unknown_feed_is_exit_1(broker: StandInBroker, brokerctl: Brokerctl, verb: str) -> None:
    broker.answers[f"POST /v1/feeds/a%20x/{verb}"] = problem(
        404, "no-feed", "there is no feed called a x", hint="brokerctl status"
    )

    ended = brokerctl(verb, "a x")

    assert ended.exit_code == 1
    assert ended.stderr == "token-broker: there is no feed called a x; run: brokerctl status\n"


@pytest.mark.parametrize("verb", ["refresh", "forget", "login", "logout", "remove"])
@pytest.mark.parametrize("name", ["https://me:s3cret@feed.example/simple/", "", "a\x1b[1m", "a\nb", "\udcff"])
def test_what_is_no_feeds_name_is_usage_and_neither_asked_for_nor_repeated(
    broker: StandInBroker, brokerctl: Brokerctl, verb: str, name: str
) -> None:
    ended = brokerctl(verb, name)

    assert ended.exit_code == 2
    assert ended.stderr == "token-broker: this is no feed's name; run: brokerctl status\n"
    assert broker.asked == []


def test_reload_names_the_feeds(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["POST /v1/reload"] = 200, {"feeds": ["corp", "tools"]}

    assert brokerctl("reload").stdout == "configuration read: corp, tools\n"


def test_reload_of_a_broken_file_prints_where_it_is_broken(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    place = "config.toml, line 3: unknown key tll, did you mean ttl?"
    broker.answers["POST /v1/reload"] = problem(422, "bad-configuration", place)

    ended = brokerctl("reload")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == f"token-broker: {place}\n"


@pytest.mark.parametrize("words", [("refresh",), ("refresh", "a"), ("forget", "a"), ("reload",)])
def test_orders_to_a_broker_that_does_not_run_are_exit_3(
    brokerctl: Brokerctl, words: tuple[str, ...]
) -> None:
    assert brokerctl(*words).exit_code == 3
