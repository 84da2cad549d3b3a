"""No command's hint names the command that printed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import token_broker_client as client

from tests.ctl.found_feeds import broker as a_broker
from tests.ctl.stand_in import StandInBroker, problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

URL = "https://feed.example/simple/"
VERBS = {
    "doctor": ("doctor",),
    "status": ("status",),
    "status --short": ("status", "--short"),
    "explain": ("explain", URL),
    "get": ("get", URL),
    "get, another user": ("get", URL, "--username", "bob"),
    "refresh": ("refresh",),
    "reload": ("reload",),
    "logs": ("logs",),
    "restart": ("restart",),
}
HINTS = [f"brokerctl {words[0]}" for words in VERBS.values() if len(words) == 1 or words[1] == URL]
LINES = [
    value
    for name, value in vars(client).items()
    if name.isupper() and isinstance(value, str) and "run: brokerctl" in value
]


def names_itself(printed: str, verb: str) -> bool:
    return any(f"brokerctl {verb}" in line and "--" not in line for line in printed.splitlines())


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("arguments", VERBS.values(), ids=VERBS)
def test_hint_of_the_daemon_is_not_the_command_that_asked(
    broker: StandInBroker, brokerctl: Brokerctl, arguments: tuple[str, ...], hint: str
) -> None:
    said = problem(503, "unavailable", "it failed", hint=hint, feed="corp")
    for route in ("GET /v1/credential", "GET /v1/status", "GET /v1/match", "POST /v1/reload", "GET /v1/logs"):
        broker.answers[route] = said
    broker.answers["POST /v1/explain"] = 200, iter([f'{{"step": "hint", "text": "{hint}"}}\n'.encode()])

    ended = brokerctl(*arguments)

    assert not names_itself(ended.stdout + ended.stderr, arguments[0]), ended


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("arguments", VERBS.values(), ids=VERBS)
def test_hint_of_the_client_is_not_the_command_that_asked(
    brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], line: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise client.NoAnswerError(line)

    monkeypatch.setattr(client, "request", refuse)
    monkeypatch.setattr(client, "stream", refuse)

    ended = brokerctl(*arguments)

    assert not names_itself(ended.stdout + ended.stderr, arguments[0]), ended


def test_status_names_another_command_for_a_feed(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    status = a_broker()
    broker.answers["GET /v1/status"] = 200, {**status, "error": "config.toml line 3: no"}

    ended = brokerctl("status")

    assert "brokerctl reload" in ended.stdout
    assert ended.exit_code == 1
