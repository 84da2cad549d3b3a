from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.ctl.found_feeds import broker as seen
from tests.ctl.found_feeds import feed, house

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]


def test_status_prints_the_table_without_colour_when_piped(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers["GET /v1/status"] = 200, seen(feed("corp"))

    ended = brokerctl("status")

    assert ended.stdout.startswith("token-broker 1.0.0 · running 3 h 12 min · 1 of 1 feed usable\n")
    assert "az (dev@acme.com)" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_a_piped_table_is_as_wide_as_its_cells(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    name = "packages-of-the-" + "very-" * 16 + "long-name"
    broker.answers["GET /v1/status"] = 200, seen(feed(name))

    ended = brokerctl("status")

    assert f" {name}  " in ended.stdout


def test_status_says_where_another_keyring_is_first_on_path(
    broker: StandInBroker, brokerctl: Brokerctl, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.answers["GET /v1/status"] = 200, seen(feed("corp"))
    keyring = room / "keyring"
    keyring.write_text("#!/bin/sh\n")
    keyring.chmod(0o755)
    monkeypatch.setenv("PATH", f"{room}:{os.environ['PATH']}")

    ended = brokerctl("status")

    assert f"{keyring} is the first keyring on PATH, not the shim: brokerctl setup\n" in ended.stdout


def test_no_color_is_obeyed_on_a_terminal(
    broker: StandInBroker, brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    broker.answers["GET /v1/status"] = 200, house()

    ended = brokerctl("status")

    assert not {"\x1b[31m", "\x1b[32m", "\x1b[33m"} & {
        ended.stdout[i : i + 5] for i in range(len(ended.stdout))
    }


@pytest.mark.parametrize("form", [(), ("--short",), ("--json",)])
@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        (seen(feed("corp")), 0),
        (seen(), 0),
        (seen(feed("corp", usable=False, state="failing")), 0),
        (house(), 4),
        (seen(error="line 3: unknown key"), 1),
        ({**house(), "error": "line 3: unknown key"}, 1),
    ],
)
def test_exit_code_tells_whether_a_person_is_needed(
    broker: StandInBroker, brokerctl: Brokerctl, form: tuple[str, ...], status: object, exit_code: int
) -> None:
    broker.answers["GET /v1/status"] = 200, status

    assert brokerctl("status", *form).exit_code == exit_code


def test_json_is_the_daemons_own_object(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    said = {**seen(feed("corp")), "key_of_a_newer_daemon": [1, 2]}
    broker.answers["GET /v1/status"] = 200, said

    assert json.loads(brokerctl("status", "--json").stdout) == said


def test_an_end_that_nobody_said_is_unknown_and_not_never(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    endless: dict[str, object] = {"expires_at": None, "left_s": None}
    said = seen(feed("corp", **endless, end_unknown=True), feed("libs", **endless))
    broker.answers["GET /v1/status"] = 200, said

    printed = brokerctl("status").stdout

    assert ("end unknown" in printed, "no expiry" in printed) == (True, True)


def test_short_is_one_line(broker: StandInBroker, brokerctl: Brokerctl) -> None:
    broker.answers["GET /v1/status"] = 200, house()

    assert brokerctl("status", "--short").stdout == "feeds 4/5 !labs\n"


@pytest.mark.parametrize("form", [(), ("--short",), ("--json",), ("--watch",)])
def test_broker_that_does_not_run_is_exit_3_and_says_how_to_start_it(
    brokerctl: Brokerctl, form: tuple[str, ...]
) -> None:
    ended = brokerctl("status", *form)

    assert (ended.exit_code, ended.stdout.strip()) == (3, "")
    assert ended.stderr == "token-broker is not running; run: brokerctl start\n"


def test_forms_exclude_each_other(brokerctl: Brokerctl) -> None:
    assert brokerctl("status", "--json", "--short").exit_code == 2


@pytest.mark.parametrize(
    "said",
    [
        b"garbage",
        [1],
        {},
        {"version": "1", "pid": 1, "feeds": [{}]},
        {"version": "1", "pid": 1, "feeds": 7},
        seen({**feed("corp"), "since": "yesterday"}),
    ],
)
def test_answer_that_is_no_status_is_one_line(
    broker: StandInBroker, brokerctl: Brokerctl, said: object
) -> None:
    broker.answers["GET /v1/status"] = 200, said

    ended = brokerctl("status")

    assert ended.exit_code == 1
    assert ended.stderr.endswith("was not understood; run: brokerctl restart\n")


def test_socket_open_to_others_is_refused_with_its_repair(
    broker: StandInBroker, brokerctl: Brokerctl, socket: Path
) -> None:
    broker.answers["GET /v1/status"] = 200, seen()
    socket.parent.chmod(0o755)

    ended = brokerctl("status")

    assert ended.exit_code == 1
    assert ended.stderr.endswith(f"run: chmod 700 {socket.parent}\n")
