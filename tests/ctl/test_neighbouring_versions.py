"""brokerctl beside a daemon of another minor version, as docs/reference/compatibility.md promises it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.ctl.found_feeds import at, house
from tests.ctl.found_feeds import feed as seen_feed
from tests.ctl.stand_in import problem
from tests.ctl.test_explain import EXPLAIN, WALK
from tests.ctl.test_get import ANSWER
from tests.ctl.test_login_verbs import CODE, DONE, LOGIN
from tests.ctl.test_login_verbs import feed as signed_in_feed
from tests.ctl.test_share import shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
RECENT = {
    "at": at(-5),
    "uid": 0,
    "pid": 811,
    "url": URL,
    "feed": "corp",
    "outcome": "hit",
    "hint": None,
}
STATUS = {**house(), "recent": [RECENT], "shares": [shared()]}
NEEDS_A_PERSON = 4
"""What `status` returns here: one of the house's feeds needs a sign-in."""

NEW = {"brand_new": {"of": ["a", "later", "version"]}}

VERBS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "status": (["status"], {"GET /v1/status": STATUS}),
    "status-short": (["status", "--short"], {"GET /v1/status": STATUS}),
    "get": (["get", URL], {"GET /v1/credential": ANSWER}),
    "refresh": (["refresh", "corp"], {"POST /v1/feeds/corp/refresh": seen_feed("corp")}),
    "forget": (["forget", "corp"], {"POST /v1/feeds/corp/forget": seen_feed("corp")}),
    "reload": (["reload"], {"POST /v1/reload": {"feeds": ["corp"]}}),
    "explain": (["explain", URL], {EXPLAIN: list(WALK)}),
    "login": (["login", "corp"], {LOGIN: [CODE, DONE, signed_in_feed("corp")]}),
    "share": (
        ["share", "--feed", "corp", "--name", "dev"],
        {"POST /v1/shares/dev": shared(), "GET /v1/status": STATUS},
    ),
    "shares": (["share", "--list"], {"GET /v1/shares": {"shares": [shared()]}}),
}
"""What is typed, and what the daemon answers; a list is what it streams."""


def grown(answer: Any) -> Any:  # noqa: ANN401 - JSON
    """The answer with one more key in each object."""
    match answer:
        case dict():
            return {**{key: grown(value) for key, value in answer.items()}, **NEW}
        case list():
            return [grown(each) for each in answer]
    return answer


def said(answer: object) -> object:
    """The answer as the stand-in takes it."""
    if isinstance(answer, list):
        return "".join(json.dumps(each) + "\n" for each in answer).encode()
    return answer


@pytest.mark.parametrize("name", VERBS)
def test_keys_of_a_later_daemon_change_nothing(
    name: str, broker: StandInBroker, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(variable, raising=False)
    words, answers = VERBS[name]
    broker.answers = {route: (200, said(answer)) for route, answer in answers.items()}
    today = brokerctl(*words)

    broker.answers = {route: (200, said(grown(answer))) for route, answer in answers.items()}
    later = brokerctl(*words)

    assert today.exit_code == (NEEDS_A_PERSON if "status" in words else 0)
    assert later == today


def test_refusal_of_a_later_daemon_is_told_in_its_words(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    status, told = problem(451, "brand-new", "the feed is closed", hint="brokerctl doctor", feed="corp")
    broker.answers["GET /v1/credential"] = status, {**told, **NEW}

    ended = brokerctl("get", URL)

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "corp: the feed is closed" in ended.stderr
    assert "brokerctl doctor" in ended.stderr


def test_states_and_verdicts_of_a_later_daemon_are_shown_as_they_are_called(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    later = seen_feed("corp", state="resting", verdict="praised", usable=False)
    broker.answers["GET /v1/status"] = 200, {**house(), "feeds": [later]}

    ended = brokerctl("status")

    assert ended.stderr == ""
    assert "resting" in ended.stdout


def test_status_of_an_earlier_daemon_needs_only_what_each_version_says(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    earliest = {"name": "corp", "usable": True, "state": "fresh"}
    broker.answers["GET /v1/status"] = 200, {"version": "0.1.0", "pid": 1, "feeds": [earliest]}

    shown = [brokerctl("status"), brokerctl("status", "--short")]

    assert [each.exit_code for each in shown] == [0, 0]
    assert "corp" in shown[0].stdout
    assert shown[1].stdout == "feeds 1/1\n"
