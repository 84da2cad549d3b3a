from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.ctl.stand_in import StandInBroker, problem
from tests.sampling import few

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/?a=b&c"
BARE = URL.partition("?")[0]
ANSWER = {"feed": "corp", "username": "VssSessionToken", "password": "sesame", "expires_at": None}


def test_get_prints_the_password_and_a_newline(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/credential"] = 200, ANSWER

    ended = brokerctl("get", URL)

    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "sesame\n", "")


def test_get_asks_for_the_url_and_the_username_as_typed(
    broker: StandInBroker, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_BROKER_TIMEOUT", "4")
    broker.answers["GET /v1/credential"] = 200, ANSWER

    brokerctl("get", URL, "--username", "a b@c")

    assert broker.queries == [{"url": URL, "username": "a b@c", "wait": "3.600"}]


def test_get_json_prints_the_daemons_object(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/credential"] = 200, ANSWER

    assert json.loads(brokerctl("get", URL, "--json").stdout) == ANSWER


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        (400, "bad-request", 1),
        (401, "sign-in-needed", 4),
        (403, "not-allowed", 1),
        (404, "no-feed", 1),
        (409, "ambiguous", 1),
        (500, "bad-configuration", 1),
        (502, "refused", 1),
        (503, "unavailable", 1),
    ],
)
def test_get_says_what_failed_on_stderr_alone(
    broker: StandInBroker, brokerctl: Brokerctl, status: int, kind: str, exit_code: int
) -> None:
    broker.answers["GET /v1/credential"] = problem(status, kind, "it failed", hint="az login", feed="labs")

    ended = brokerctl("get", URL)

    assert (ended.exit_code, ended.stdout) == (exit_code, "")
    assert ended.stderr == "token-broker: labs: it failed; run: az login\n"


def test_get_never_starts_a_broker(brokerctl: Brokerctl) -> None:
    ended = brokerctl("get", URL)

    assert (ended.exit_code, ended.stdout) == (3, "")
    assert ended.stderr == "token-broker is not running; run: brokerctl start\n"


def test_answer_without_password_is_no_answer(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/credential"] = 200, {**ANSWER, "password": ""}

    ended = brokerctl("get", URL)

    assert (ended.exit_code, ended.stdout) == (1, "")


def test_system_broker_is_asked_for_a_feed_that_ours_does_not_know(
    broker: StandInBroker, brokerctl: Brokerctl, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = room / "system" / "broker.sock"
    monkeypatch.setattr("token_broker_client.SYSTEM_SOCKET", str(place))
    monkeypatch.setattr("token_broker_client.SYSTEM_UID", place.parent.parent.stat().st_uid)
    broker.answers["GET /v1/credential"] = problem(404, "no-feed", "no feed has this address")

    with StandInBroker(place, {"GET /v1/credential": (200, ANSWER)}):
        ended = brokerctl("get", URL)

    assert ended.stdout == "sesame\n"


def test_address_that_nobody_knows_can_be_added(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/credential"] = problem(404, "no-feed", "no feed has this address")

    ended = brokerctl("get", URL)

    assert ended.exit_code == 1
    assert ended.stderr == f"token-broker: no feed has this address; run: brokerctl add {BARE}\n"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_feeds_name_stands_for_its_address(
    broker: StandInBroker, brokerctl: Brokerctl, options: tuple[str, ...]
) -> None:
    broker.answers["GET /v1/status"] = 200, {"feeds": [{"name": "other"}, {"name": "corp", "urls": [BARE]}]}
    broker.answers["GET /v1/credential"] = 200, ANSWER

    assert brokerctl("get", "corp", *options).exit_code == 0
    assert [query["url"] for query in broker.queries if query] == [BARE]


def test_get_of_a_name_says_why_the_names_are_not_known(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/status"] = problem(503, "unavailable", "no descriptor is left")

    ended = brokerctl("get", "corp")

    assert (ended.exit_code, ended.stderr) == (1, "token-broker: no descriptor is left\n")


def test_a_word_that_is_neither_name_nor_address_leads_to_the_feeds(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers["GET /v1/status"] = 200, {"feeds": []}
    broker.answers["GET /v1/credential"] = problem(404, "no-feed", "no feed has this address")

    told = brokerctl("get", "crop").stderr

    assert told == "token-broker: no feed has this address; run: brokerctl status\n"


def test_feed_of_another_username_is_explained(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/credential"] = problem(404, "no-feed", "feed corp answers ci, the URL says bob")

    ended = brokerctl("get", URL, "--username", "bob")

    assert ended.exit_code == 1
    assert (
        ended.stderr
        == f"token-broker: feed corp answers ci, the URL says bob; run: brokerctl explain {BARE}\n"
    )


@pytest.mark.parametrize("words", [(), ("--username", "bob")])
def test_feed_that_wants_no_credential_is_not_to_be_added(
    broker: StandInBroker, brokerctl: Brokerctl, words: tuple[str, ...]
) -> None:
    detail = "feed corp is public: it wants no credential"
    broker.answers["GET /v1/credential"] = problem(404, "no-feed", detail)

    ended = brokerctl("get", URL, *words)

    assert (ended.exit_code, ended.stderr) == (1, f"token-broker: {detail}\n")


def test_address_that_nobody_knows_can_be_added_whatever_the_username(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers["GET /v1/credential"] = problem(404, "no-feed", "no feed has this address")

    ended = brokerctl("get", URL, "--username", "bob")

    assert ended.stderr == f"token-broker: no feed has this address; run: brokerctl add {BARE}\n"


def test_system_broker_is_not_asked_for_a_feed_that_ours_knows(
    broker: StandInBroker, brokerctl: Brokerctl, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = room / "system" / "broker.sock"
    monkeypatch.setattr("token_broker_client.SYSTEM_SOCKET", str(place))
    broker.answers["GET /v1/credential"] = problem(503, "unavailable", "away", feed="corp")

    with StandInBroker(place, {"GET /v1/credential": (200, ANSWER)}) as system:
        ended = brokerctl("get", URL)

    assert ended.exit_code == 1
    assert system.asked == []


@pytest.mark.parametrize("stdout", few([">&-", ">/dev/full", ""], 1), ids=["closed", "full", "reader gone"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_password_that_cannot_be_written_is_no_success(
    broker: StandInBroker, stdout: str, form: tuple[str, ...]
) -> None:
    broker.answers["GET /v1/credential"] = 200, ANSWER
    command = [sys.executable, "-m", "broker.ctl.app", "get", URL, *form]
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(
        ["sh", "-c", f'exec "$@" {stdout}', "sh", *command],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)

    assert ended.returncode == 1
    assert ended.stderr == "token-broker: the answer cannot be written to stdout\n"


def test_username_that_is_no_utf8_is_for_the_broker_to_refuse(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers["GET /v1/credential"] = problem(400, "bad-request", "it cannot stand there", feed="corp")

    ended = brokerctl("get", URL, "--username", "j\udcfcrgen")

    assert (ended.exit_code, ended.stderr) == (1, "token-broker: corp: it cannot stand there\n")
