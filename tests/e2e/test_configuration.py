"""A configuration that cannot be used says so, names the line and the remedy, and costs nobody a token."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD, Household, feed, household
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.brokerd import Brokerd

OTHER_FEED = "https://other.example/simple/"
PLAIN_SETTINGS = 'provider = "basic"\nsecret = "env:NOBODY"'

BROKEN = {
    "not TOML": ("ttl = 50m\n", 1, "not TOML"),
    "cut off": ('[[feed]]\nurl = "https://other', 2, "not TOML"),
    "an unknown key": ('log = "info"\nttll = "50m"\n', 2, "did you mean ttl?"),
    "an unknown key of a feed": (
        feed("a", OTHER_FEED, f'{PLAIN_SETTINGS}\nuser = "ci"'),
        6,
        "did you mean username?",
    ),
    "a value of another kind": ("auto = 3\n", 1, "auto"),
    "no duration": ('ttl = "soon"\n', 1, '"50m"'),
    "an unknown provider": (feed("a", OTHER_FEED, 'provider = "azur"'), 4, "write one of "),
    "a host that names no provider": (feed("a", OTHER_FEED), 1, 'write provider = "basic"'),
    "plain http": (feed("a", "http://other.example/", PLAIN_SETTINGS), 3, "use https"),
    "a secret in plain text": (
        feed("a", OTHER_FEED, 'provider = "basic"\nsecret = "hunter2hunter2"'),
        5,
        "env:NAME",
    ),
    "one name twice": (
        feed("a", OTHER_FEED, PLAIN_SETTINGS) + feed("a", PLAIN_FEED, PLAIN_SETTINGS),
        7,
        "give one of them another name",
    ),
    "one address twice": (
        feed("a", OTHER_FEED, PLAIN_SETTINGS) + feed("b", OTHER_FEED, PLAIN_SETTINGS),
        6,
        "take it out of one of them",
    ),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Household]:
    with household() as made:
        yield made


@pytest.fixture(scope="module")
def running(shared: Household) -> Iterator[Brokerd]:
    """A daemon that began with a good configuration."""
    shared.configure(shared.plain_feed())
    with shared.forked_brokerd() as broker:
        yield broker


@pytest.fixture
def broker(shared: Household, running: Brokerd) -> Brokerd:
    """The same, with that configuration in force again."""
    shared.config.chmod(0o600)
    shared.configure(shared.plain_feed())
    assert running.wire.post("/v1/reload").status == 200
    assert running.wire.look_up(PLAIN_FEED).status == 200
    return running


@pytest.mark.parametrize(("text", "line", "remedy"), sampled(BROKEN, {"not TOML"}))
def test_reload_of_a_broken_file_names_file_line_and_remedy_and_changes_nothing(
    shared: Household, broker: Brokerd, text: str, line: int, remedy: str
) -> None:
    before = broker.wire.feed("plain")
    shared.configure(text)

    answer = broker.wire.post("/v1/reload")

    assert (answer.status, answer.kind) == (422, "application/problem+json")
    assert answer.json["type"] == "bad-configuration"
    assert re.match(f"{shared.config},? line {line}[:,]", answer.json["detail"])
    assert remedy in answer.json["detail"]
    assert "hunter2" not in answer.text
    assert broker.wire.look_up(PLAIN_FEED).password == PLAIN_PASSWORD
    assert broker.wire.feed("plain")["fetches"] == before["fetches"]


def test_reload_of_a_file_that_others_can_write_is_refused(shared: Household, broker: Brokerd) -> None:
    shared.config.chmod(0o666)

    answer = broker.wire.post("/v1/reload")

    assert (answer.status, answer.json["type"]) == (422, "bad-configuration")
    assert answer.json["hint"] == f"chmod go-w {shared.config}"
    assert broker.wire.look_up(PLAIN_FEED).status == 200


def test_signalled_reload_of_a_broken_file_keeps_the_token_and_is_logged(
    shared: Household, broker: Brokerd
) -> None:
    fetches = broker.wire.feed("plain")["fetches"]
    shared.configure("\n" * 98 + "ttl = tomorrow\n")

    broker.signal(signal.SIGHUP)

    broker.wait_for_log(f"reload_refused: {shared.config}, line 99: not TOML")
    assert broker.wire.look_up(PLAIN_FEED).status == 200
    assert broker.wire.feed("plain")["fetches"] == fetches


def test_daemon_with_a_broken_file_runs_says_so_and_is_cured_by_a_reload(house: Household) -> None:
    house.configure('[[feed]]\nurl = "https://packages.example/simple/\n')
    with house.forked_brokerd() as broker:
        answer = broker.wire.look_up(PLAIN_FEED)
        told = house.keyring("get", PLAIN_FEED, "ci")
        status = broker.wire.status()
        house.configure(house.plain_feed())
        reloaded = broker.wire.post("/v1/reload")
        cured = house.keyring("get", PLAIN_FEED, "ci")

    assert (answer.status, answer.json["type"]) == (500, "bad-configuration")
    where = f"{house.config}, line 2: not TOML: "
    assert answer.json["detail"].startswith(where)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith(f"token-broker: {where}")
    assert told.stderr.count("\n") == 1
    assert status["error"] == answer.json["detail"]
    assert reloaded.status == 200
    assert (cured.exit_code, cured.stdout) == (0, f"{PLAIN_PASSWORD}\n")


def test_unreadable_file_is_named_by_a_daemon_that_runs(house: Household) -> None:
    house.config.mkdir(parents=True)
    with house.forked_brokerd() as broker:
        answer = broker.wire.look_up(PLAIN_FEED)

    assert (answer.status, answer.json["type"]) == (500, "bad-configuration")
    assert answer.json["detail"] == f"{house.config} cannot be read: is a directory"
    assert answer.json["hint"] == f"rmdir {house.config}"


def test_pipe_in_place_of_the_configuration_neither_hangs_the_daemon_nor_its_end(house: Household) -> None:
    house.config.parent.mkdir(parents=True)
    os.mkfifo(house.config)
    with house.forked_brokerd() as broker:  # leaving it sends SIGTERM and waits
        answer = broker.wire.look_up(PLAIN_FEED)

    assert answer.json["detail"] == f"{house.config} is a named pipe, not a regular file"
    assert answer.json["hint"] == f"ls -l {house.config}"
