"""What a shim makes of what a broker says: the whole answer or none."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.contract import answer_tables
from tests.contract.scripted_broker import ScriptedBroker, Step, answers, credential, hangs_up, resets, sends
from tests.contract.shims import RUN_LIMIT_S, Shim

URL = "https://feed.example/simple/"
CLOSED_TWICE = "the broker closed the connection twice without an answer; run: brokerctl status"
NOT_WRITTEN = "the answer cannot be written to stdout"


@pytest.mark.parametrize("content", answer_tables.GOOD.values(), ids=answer_tables.GOOD)
def test_whole_answer_is_taken(shim: Shim, broker: ScriptedBroker, content: bytes) -> None:
    broker.will(sends(content))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout, ended.stderr) == (0, b"s3cret\n", "")


def test_answer_in_single_bytes_is_taken(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(sends(answer_tables.HEAD + answer_tables.BODY, piece_bytes=1))

    ended = shim("--mode=creds", "get", URL)

    assert (ended.code, ended.stdout) == (0, answer_tables.BODY)


def test_empty_username_is_a_username(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("", "s3cret"))

    ended = shim("--mode=creds", "get", URL)

    assert (ended.code, ended.stdout) == (0, b"\ns3cret\n")


@pytest.mark.parametrize("content", answer_tables.MALFORMED.values(), ids=answer_tables.MALFORMED)
def test_malformed_answer_is_none(shim: Shim, broker: ScriptedBroker, content: bytes) -> None:
    broker.will(sends(content))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, answer_tables.NOT_UNDERSTOOD)
    assert len(broker.requests) == 1


@pytest.mark.parametrize("content", answer_tables.HALF.values(), ids=answer_tables.HALF)
def test_half_an_answer_is_none_and_not_asked_for_again(
    shim: Shim, broker: ScriptedBroker, content: bytes
) -> None:
    broker.will(sends(content))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, answer_tables.CUT_SHORT)
    assert len(broker.requests) == 1


@pytest.mark.parametrize(("status", "line"), answer_tables.PROBLEMS.items())
def test_problem_is_told_in_its_own_words(shim: Shim, broker: ScriptedBroker, status: int, line: str) -> None:
    broker.will(answers(status, line + "\n"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, line)
    assert len(broker.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 409])
def test_what_is_no_feed_or_ambiguous_is_silent(shim: Shim, broker: ScriptedBroker, status: int) -> None:
    broker.will(answers(status, "nobody wants to read this\n"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stderr) == (1, "")


LINES = {
    "control characters go": ("a\x1b[31m\tb\x7f\r; run: c\x00\n", "a[31mb; run: c"),
    "C1 controls go": ("a\x9b31mb\x85; run: c\n", "a31mb; run: c"),
    "C1 controls go first": ("\x9b31mb; run: c\n", "31mb; run: c"),
    "C1 controls go last": ("a; run: c\x85\n", "a; run: c"),
    "other characters stay": ("labs: 2222… für Jürgen; run: ä\n", "labs: 2222… für Jürgen; run: ä"),
    "one line only": ("a; run: b\nsecond\n", "a; run: b"),
    "the prefix is not doubled": ("token-broker: a; run: b\n", "a; run: b"),
    "no newline": ("a; run: b", "a; run: b"),
    "500 bytes": ("x" * 501, "x" * 500),
    "500 bytes, characters whole": ("x" * 499 + "é", "x" * 499),
    "500 bytes exactly": ("x" * 498 + "é", "x" * 498 + "é"),
    "nothing": ("", "the broker answered 503 without a reason; run: brokerctl status"),
    "an empty line": ("\nmore", "the broker answered 503 without a reason; run: brokerctl status"),
    "nothing but controls": ("\x1b\x07\n", "the broker answered 503 without a reason; run: brokerctl status"),
}


@pytest.mark.parametrize(("body", "line"), LINES.values(), ids=LINES)
def test_reason_is_one_bounded_line_that_steers_no_terminal(
    shim: Shim, broker: ScriptedBroker, body: str, line: str
) -> None:
    broker.will(answers(503, body))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, line)


@pytest.mark.parametrize("first", [hangs_up(), resets()], ids=["end", "reset"])
def test_connection_that_ends_unanswered_is_tried_once_more(
    shim: Shim, broker: ScriptedBroker, first: Step
) -> None:
    broker.will(first, credential("Fred", "s3cret"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")
    assert broker.connections == 2


@pytest.mark.parametrize("first", [hangs_up(), resets()], ids=["end", "reset"])
@pytest.mark.parametrize("second", [hangs_up(), resets()], ids=["end", "reset"])
def test_connection_is_not_tried_three_times(
    shim: Shim, broker: ScriptedBroker, first: Step, second: Step
) -> None:
    broker.will(first, second, credential("Fred", "s3cret"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, CLOSED_TWICE)
    assert broker.connections == 2


def test_answer_before_the_question_was_read_counts(shim: Shim, broker: ScriptedBroker) -> None:
    refusal = answers(503, "too many connections; run: brokerctl status\n")
    broker.will(type(refusal)(refusal.act, reads=False))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, "too many connections; run: brokerctl status")


@pytest.mark.parametrize(
    "stdout",
    [
        pytest.param(
            ">/dev/full",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system"),
        ),
        ">&-",
    ],
)
def test_answer_that_cannot_be_written_is_a_failure(shim: Shim, broker: ScriptedBroker, stdout: str) -> None:
    broker.will(credential("Fred", "s3cret"))
    command = (*shim.prefix, os.fspath(shim.program), "get", URL, "Fred")

    shell = Shim(Path("/bin/sh"), shim.environment, shim.directory)
    told = shell("-c", f'exec "$@" {stdout}', "sh", *command)

    assert (told.code, told.line) == (1, NOT_WRITTEN)


def test_reader_that_is_gone_is_a_failure_too(shim: Shim, broker: ScriptedBroker) -> None:
    gone, answer = threading.Event(), credential("Fred", "s3cret")

    def act(connection: socket.socket, over: threading.Event) -> None:
        gone.wait(RUN_LIMIT_S)
        answer.act(connection, over)

    broker.will(Step(act))
    running = shim.start("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(broker.path))
    assert running.stdout is not None
    running.stdout.close()
    gone.set()

    _, stderr = running.communicate(timeout=RUN_LIMIT_S)

    assert (running.returncode, stderr.decode()) == (1, f"token-broker: {NOT_WRITTEN}\n")


UNSENDABLE: dict[str, bytes] = {
    "newline": b"me\nevil",
    "carriage return": b"me\r",
    "tab": b"me\there",
    "escape": b"\x1b[31mme",
    "delete": b"me\x7f",
    "C1 control": b"me\xc2\x9b",
    "not ASCII": "jürgen".encode(),
    "no UTF-8": b"j\xfcrgen",
    "a lone surrogate": b"\xed\xa0\x80",
    "blank at its end": b"me ",
}
FORMS = {
    "password": ("--mode", "password"),
    "creds": ("--mode", "creds"),
    "json": ("--mode", "creds", "--output", "json"),
}
REFUSAL = "the username cannot stand in an answer"


@pytest.mark.parametrize("username", UNSENDABLE.values(), ids=UNSENDABLE)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_username_that_cannot_stand_in_an_answer_is_refused_in_the_brokers_words(
    shim: Shim, broker: ScriptedBroker, form: tuple[str, ...], username: bytes
) -> None:
    broker.will(answers(400, f"corp: {REFUSAL}: it is odd\n"))

    ended = shim(*form, "get", URL, username)

    assert (ended.code, ended.stdout, ended.line) == (1, b"", f"corp: {REFUSAL}: it is odd")


@pytest.mark.parametrize("username", UNSENDABLE.values(), ids=UNSENDABLE)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_username_that_cannot_stand_in_an_answer_is_never_printed(
    shim: Shim, broker: ScriptedBroker, form: tuple[str, ...], username: bytes
) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim(*form, "get", URL, username)

    assert (ended.code, ended.stdout) == (1, b"")
    assert ended.line.startswith(REFUSAL)


def test_username_that_is_too_long_is_refused_where_nobody_else_is_asked(
    shim: Shim, broker: ScriptedBroker
) -> None:
    ended = shim("get", URL, "x" * 10_000)

    assert (ended.code, ended.line) == (1, f"{REFUSAL}: it is longer than 1,024 bytes")
    assert broker.requests == []
