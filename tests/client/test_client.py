"""The functions that brokerctl, the daemon and the backend take from the client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from token_broker_client import (
    Answer,
    Failed,
    NoAnswerError,
    NotOurs,
    NotRunning,
    NotRunningError,
    Silent,
    SocketPathError,
    UntrustedError,
    ask,
    check_trust,
    request,
    socket_path,
    stream,
)

from tests.contract.scripted_broker import ScriptedBroker, answers, credential, hangs, hangs_up, sends
from tests.contract.shims import CLIENT

URL = "https://feed.example/simple/"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'9\r\n{"a": 1}\n\r\n4\r\n{"b"\r\n6\r\n: 2}\r\n\r\n0\r\n\r\n'
)


def test_socket_path_is_below_the_runtime_directory(place: Path) -> None:
    assert socket_path() == f"{place}/token-broker/broker.sock"


@pytest.mark.parametrize(
    ("path", "command"),
    [("/" + "x" * 107, "export TOKEN_BROKER_SOCKET=/a/shorter/path"), ("s", "unset TOKEN_BROKER_SOCKET")],
)
def test_unusable_socket_path_says_what_to_type(
    place: Path, monkeypatch: pytest.MonkeyPatch, path: str, command: str
) -> None:
    assert place
    monkeypatch.setenv("TOKEN_BROKER_SOCKET", path)

    with pytest.raises(SocketPathError, match=f"; run: {command}$"):
        socket_path()


def test_trusted_socket_names_its_uids(broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = check_trust(str(broker.path))
    monkeypatch.setenv("TOKEN_BROKER_TRUST_UID", "54321")

    assert alone == (os.geteuid(),)
    assert check_trust(str(broker.path)) == (os.geteuid(), 54321)


def test_untrusted_socket_names_the_repair(broker: ScriptedBroker) -> None:
    broker.path.parent.chmod(0o755)

    with pytest.raises(UntrustedError, match="; run: chmod 700 "):
        check_trust(str(broker.path))


def test_missing_socket_is_file_not_found(place: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_trust(f"{place}/nothing/here")


def test_answer_hides_its_password(broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))

    answer = ask(URL)

    assert isinstance(answer, Answer)
    assert (answer.username, answer.password) == ("Fred", "s3cret")
    assert "s3cret" not in f"{answer} {answer!r}"


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotOurs), (400, NotOurs), (409, Silent), (503, Failed), (401, Failed)]
)
def test_outcome_is_told_by_its_type(broker: ScriptedBroker, status: int, kind: type) -> None:
    broker.will(answers(status, "labs: no; run: it\n"))

    outcome = ask(URL, "Fred")

    assert type(outcome) is kind


def test_failure_has_the_brokers_line(broker: ScriptedBroker) -> None:
    broker.will(answers(401, "labs: sign-in has expired; run: az login\n"))

    match ask(URL):
        case Failed(line):
            assert line == "labs: sign-in has expired; run: az login"
        case other:
            pytest.fail(f"{other}")


def test_no_broker_is_an_outcome(place: Path) -> None:
    assert place
    match ask(URL, start=False):
        case NotRunning(reason):
            assert reason == "the broker is not running; run: brokerctl setup"
        case other:
            pytest.fail(f"{other}")


def test_patience_is_the_whole_budget(broker: ScriptedBroker) -> None:
    broker.will(hangs())

    outcome = ask(URL, patience_s=0.05)

    assert isinstance(outcome, Failed)
    assert "did not answer in time" in outcome.line


def test_request_returns_status_headers_and_body(broker: ScriptedBroker) -> None:
    body = json.dumps({"type": "unavailable"}).encode()
    head = b"HTTP/1.1 503 X\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    broker.will(sends(head + body))

    response = request("POST", "/v1/reload", body=b"{}", headers={"Accept": "application/json"})

    assert (response.status, response.headers["content-type"]) == (503, "application/problem+json")
    assert json.loads(response.body) == {"type": "unavailable"}
    (asked,) = broker.requests
    assert asked.text.startswith("POST /v1/reload HTTP/1.1\r\n")
    assert (asked.headers["host"], asked.headers["connection"]) == ("broker", "close")
    assert asked.headers["accept"] == "application/json"


def test_request_goes_to_the_path_it_is_given(broker: ScriptedBroker, place: Path) -> None:
    broker.will(answers(500, "wrong"))
    with ScriptedBroker(place / "other" / "s").will(answers(200, "right")):
        response = request("GET", "/v1/health", path=f"{place}/other/s")

    assert response.body == b"right"


def test_large_body_is_whole(broker: ScriptedBroker) -> None:
    broker.will(answers(200, b"x" * 1_000_000))

    assert len(request("GET", "/v1/status").body) == 1_000_000


def test_request_never_starts_a_broker(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place
    monkeypatch.delenv("TOKEN_BROKER_AUTOSTART")

    with pytest.raises(NotRunningError, match="; run: brokerctl setup"):
        request("GET", "/v1/status")


def test_request_to_an_untrusted_socket_is_not_sent(broker: ScriptedBroker) -> None:
    broker.path.chmod(0o666)

    with pytest.raises(UntrustedError, match="; run: chmod 600 "):
        request("GET", "/v1/status")

    assert broker.connections == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"SSH-2.0-OpenSSH\r\n", CHUNKED[:-20]],
    ids=["end", "half", "garbage", "half chunked"],
)
def test_answer_that_is_none_is_one_error(broker: ScriptedBroker, content: bytes) -> None:
    broker.will(sends(content) if content else hangs_up())

    with pytest.raises(NoAnswerError):
        request("GET", "/v1/status")


@pytest.mark.parametrize("content", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
def test_request_has_a_limit(broker: ScriptedBroker, content: bytes) -> None:
    broker.will(hangs(content))

    with pytest.raises(NoAnswerError):
        request("GET", "/v1/status", patience_s=0.05)


def test_stream_gives_lines_as_they_come(broker: ScriptedBroker) -> None:
    broker.will(hangs(CHUNKED[: CHUNKED.index(b"4\r\n")]))

    with stream("POST", "/v1/explain?url=x") as answer:
        first = next(iter(answer))

    assert (answer.status, first) == (200, b'{"a": 1}')


def test_stream_joins_what_comes_in_pieces(broker: ScriptedBroker) -> None:
    broker.will(sends(CHUNKED, piece_bytes=1))

    with stream("POST", "/v1/explain?url=x") as answer:
        lines = list(answer)

    assert lines == [b'{"a": 1}', b'{"b": 2}']


def test_stream_that_ends_too_early_says_so(broker: ScriptedBroker) -> None:
    broker.will(sends(CHUNKED[: CHUNKED.index(b"4\r\n")]))

    with stream("POST", "/v1/explain?url=x") as answer:
        lines = iter(answer)
        first = next(lines)
        with pytest.raises(NoAnswerError):
            next(lines)

    assert first == b'{"a": 1}'


def test_stream_that_falls_silent_is_given_up(broker: ScriptedBroker) -> None:
    broker.will(hangs(CHUNKED[: CHUNKED.index(b"4\r\n")]))

    with stream("GET", "/v1/events", between_lines_s=0.05) as answer:
        lines = iter(answer)
        first = next(lines)
        with pytest.raises(NoAnswerError):
            next(lines)

    assert first == b'{"a": 1}'


WINDOWS = """
import _socket, os, runpy, sys
del os.geteuid, os.getuid, os.uname, _socket.AF_UNIX
sys.platform = "win32"
import token_broker_keyring
print(token_broker_keyring.TokenBrokerKeyring().get_password("https://feed.example/", "Fred"), flush=True)
del sys.modules["token_broker_client"]
sys.argv[1:] = ["get", "https://feed.example/", "Fred"]
runpy.run_module("token_broker_client", run_name="__main__")
"""
"""What is not there on Windows, taken away here."""


def test_windows_is_told_where_it_is_served() -> None:
    variables = {**os.environ, "PYTHONPATH": str(CLIENT)}

    done = subprocess.run(
        [sys.executable, "-c", WINDOWS], env=variables, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "None\n")
    assert done.stderr == "token-broker: Windows is served inside WSL only; run: wsl\n"


def test_lookup_imports_nothing_that_costs() -> None:
    script = "before = set(sys.modules); import token_broker_client; print(*set(sys.modules) - before)"
    variables = {**os.environ, "PYTHONPATH": str(CLIENT)}

    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {script}"],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )

    allowed = {"__future__", "token_broker_client", "_socket", "struct", "_struct"}
    assert set(done.stdout.split()) <= allowed


def test_a_working_directory_that_is_gone_is_no_traceback(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    shim = f"{sys.executable} -m token_broker_client"
    program = f"cd {gone} && rmdir {gone} && exec {shim} get https://feed.example/ me"
    environment = {"PATH": os.defpath, "TOKEN_BROKER_AUTOSTART": "0"}

    ended = subprocess.run(
        ["sh", "-c", program], env=environment, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("token-broker: ")
