from __future__ import annotations

import base64
import io
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.demo.index import LOOPBACK, DemoIndex
from broker.ctl.demo.wheel import made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ctl.conftest import Ended

BROKERCTL = Path(sys.executable).parent / "brokerctl"
PATIENCE_S = 120


@pytest.fixture
def index() -> Iterator[DemoIndex]:
    with DemoIndex(60.0).serving() as running:
        yield running


def get(index: DemoIndex, path: str, token: str | None = None) -> int:
    """The status of a request with that token."""
    request = urllib.request.Request(index.origin + path)  # noqa: S310 - loopback
    if token is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"demo:{token}".encode()).decode())
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def token_of(index: DemoIndex) -> str:
    found = index.token_for(index.sign_in_secret)
    assert found is not None
    return found["password"]


def paths(index: DemoIndex) -> list[str]:
    return ["/simple/", "/simple/broker-demo/", f"/simple/broker-demo/{index.wheel.filename}"]


def test_index_serves_nothing_without_a_token(index: DemoIndex) -> None:
    assert [get(index, path) for path in paths(index)] == [401, 401, 401]
    assert [get(index, path, "demo-guessed") for path in paths(index)] == [401, 401, 401]


def test_index_serves_page_and_file_with_a_token(index: DemoIndex) -> None:
    token = token_of(index)

    assert [get(index, path, token) for path in [*paths(index), "/simple/other/"]] == [200, 200, 200, 404]


def test_client_that_goes_away_is_no_news(index: DemoIndex, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    with socket.create_connection((LOOPBACK, index.port)) as client:
        client.sendall(b"GET /simple/ HTTP/1.1\r\n\r\n")
        answer = client.recv(65536)
        attending = set(threading.enumerate()) - before
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
    for thread in attending:
        thread.join()

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert len(attending) == 1
    assert capsys.readouterr().err == ""


def test_token_that_has_ended_opens_nothing() -> None:
    with DemoIndex(0.0).serving() as index:
        assert get(index, "/simple/", token_of(index)) == 401


def test_token_is_for_those_who_know_the_word(index: DemoIndex) -> None:
    assert index.token_for("guessed") is None
    assert index.issued == []


def test_wheel_names_each_of_its_files_with_its_digest() -> None:
    with zipfile.ZipFile(io.BytesIO(made().content)) as archive:
        record = archive.read("broker_demo-1.0.dist-info/RECORD").decode().splitlines()

        assert {line.partition(",")[0] for line in record} == set(archive.namelist())
        assert archive.testzip() is None


def test_demo_without_uv_says_how_to_get_it(
    brokerctl: Callable[..., Ended], room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(room / "python"))
    monkeypatch.setenv("PATH", str(room))

    ended = brokerctl("demo")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == "token-broker: the demo needs uv; run: pip install uv\n"


@pytest.mark.e2e
def test_demo_installs_from_memory_and_sees_a_token_replaced(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    done = subprocess.run(
        [BROKERCTL, "demo", "--life", "10", "--takes", "0.3"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^ +(\d) +[\d.,]+ ms +[\d.,]+ ms +(\d) +(\d) ", done.stdout, re.MULTILINE)
    assert rows == [(str(number), "1", "1") for number in range(1, 6)]
    assert re.search(r"^Replaced [\d.]+ s after it was issued", done.stdout, re.MULTILINE)
    assert "2 tokens were fetched in all" in done.stdout
    assert re.search(r"times faster than the plain keyring command", done.stdout)
    assert done.stdout.rstrip().endswith(
        "brokerctl setup              for good: a service, and uv and pip that ask it"
    )
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert list(room.glob("token-broker*")) == []
    assert not (tmp_path / ".local").exists()


@pytest.mark.e2e
def test_demo_interrupted_leaves_nothing_behind(room: Path) -> None:
    with subprocess.Popen(
        [BROKERCTL, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()  # index and broker are up

        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE_S)

    assert (running.returncode, said) == (130, "")
    assert list(room.glob("token-broker*")) == []
