"""One budget for connect and answer: no client that runs `keyring` has a time-out of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.answer_tables import BODY, HEAD
from tests.contract.scripted_broker import ScriptedBroker, credential, hangs, hangs_up, trickles
from tests.contract.shims import Shim

URL = "https://feed.example/simple/"
NOT_IN_TIME = "the broker did not answer in time (TOKEN_BROKER_TIMEOUT); run: brokerctl status"
SHORT_S = "0.15"
TOO_LONG_S = 10.0  # a shim that forgot its budget waits for 20 s


@pytest.mark.parametrize("content", [b"", b"HTTP/1.1 200", HEAD, HEAD + BODY[:-1]], ids=range(4))
def test_broker_that_hangs_is_given_up(shim: Shim, broker: ScriptedBroker, content: bytes) -> None:
    broker.will(hangs(content))
    start = time.monotonic()

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TIMEOUT=SHORT_S)

    assert (ended.code, ended.line) == (1, NOT_IN_TIME)
    assert float(SHORT_S) <= time.monotonic() - start < TOO_LONG_S


def test_broker_that_trickles_is_given_up(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(trickles())
    start = time.monotonic()

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TIMEOUT=SHORT_S)

    assert (ended.code, ended.line) == (1, NOT_IN_TIME)
    assert float(SHORT_S) <= time.monotonic() - start < TOO_LONG_S


def test_broker_that_answers_and_stays_is_not_waited_for(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(hangs(HEAD + BODY))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


def test_broker_is_told_a_little_less_than_the_budget(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))
    start = time.monotonic()

    shim("get", URL, "Fred", TOKEN_BROKER_TIMEOUT="2")

    took_s = time.monotonic() - start
    assert 1.8 - took_s <= float(broker.requests[0].query["wait"]) <= 1.8


def test_second_try_has_what_the_first_left(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(hangs_up(), credential("Fred", "s3cret"))

    shim("get", URL, "Fred")

    first, second = (float(request.query["wait"]) for request in broker.requests)
    assert second <= first


BUDGETS_S = {
    None: 30,
    "": 30,
    "5": 5,
    "9": 9,
    "10": 10,
    "5.9": 5.9,
    "1/2": 30,
    "1:2": 30,
    "1.:": 30,
    "3600.9": 30,
    "5.": 5,
    "5.25": 5.25,
    "5.2500000000000000000000001": 5.25,
    ".5": 0.5,
    "0005": 5,
    "3600": 3600,
    "3601": 30,
    "99999999999999999999999999999999999999": 30,
    "0": 30,
    "0.0": 30,
    "0.0001": 30,
    ".": 30,
    "-1": 30,
    "+1": 30,
    "1e3": 30,
    "inf": 30,
    "nan": 30,
    "5s": 30,
    " 5": 30,
    "1.2.3": 30,
    "\N{FULLWIDTH DIGIT FIVE}": 30,
}


@pytest.mark.parametrize(("text", "budget_s"), BUDGETS_S.items())
def test_budget_is_what_the_variable_says_or_the_default(
    shim: Shim, broker: ScriptedBroker, text: str | None, budget_s: float
) -> None:
    broker.will(credential("Fred", "s3cret"))
    start = time.monotonic()

    shim("get", URL, "Fred", TOKEN_BROKER_TIMEOUT=text)

    took_s = time.monotonic() - start
    longest = budget_s - min(budget_s / 10, 0.5)
    assert longest - took_s <= float(broker.requests[0].query["wait"]) <= longest


@pytest.fixture
def full_house(environment: dict[str, str]) -> Iterator[tuple[socket.socket, list[socket.socket]]]:
    """A broker's socket whose backlog is full, and the connections that fill it."""
    path = Path(environment["XDG_RUNTIME_DIR"], "token-broker", "broker.sock")
    path.parent.mkdir(mode=0o700)
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(os.fspath(path))
        path.chmod(0o600)
        listening.listen(0)
        waiting: list[socket.socket] = []
        while True:
            connection = undo.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(0)
            try:
                connection.connect(os.fspath(path))
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                pytest.skip("this system refuses where the backlog is full")
            waiting.append(connection)
        yield listening, waiting


def test_full_backlog_is_waited_out_within_the_budget(
    shim: Shim, full_house: tuple[socket.socket, list[socket.socket]]
) -> None:
    assert full_house
    start = time.monotonic()

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TIMEOUT=SHORT_S)

    assert (ended.code, ended.line) == (1, NOT_IN_TIME)
    assert float(SHORT_S) <= time.monotonic() - start < TOO_LONG_S


def test_lookup_is_answered_when_its_turn_comes(
    shim: Shim, full_house: tuple[socket.socket, list[socket.socket]]
) -> None:
    listening, waiting = full_house
    running = shim.start("get", URL, "Fred")
    for _ in waiting:
        listening.accept()[0].close()

    connection, _ = listening.accept()
    with connection:
        request = connection.recv(65536)
        connection.sendall(HEAD + BODY)
    stdout, stderr = running.communicate(timeout=60)

    assert request.startswith(b"GET /v1/credential?")
    assert (stdout, stderr) == (b"s3cret\n", b"")
