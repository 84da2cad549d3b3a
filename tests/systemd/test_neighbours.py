"""Two ordinary users under real user managers: what bob can do to the broker that serves alice."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.host.test_hardening import ATTACKER, WAYS
from tests.systemd.account import CONFIG, FEED_CONFIG, TOKEN, Account
from tests.systemd.conftest import listen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHON = "/usr/bin/python3"

SECRET = "TBKTEST-of-the-packages"
"""Begins as the attacker expects it to."""

CONNECT = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(sys.argv[1])
    client.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: broker\\r\\nConnection: close\\r\\n\\r\\n")
    print("answered", client.recv(100))
except ConnectionError:
    print("hung up on")
except OSError as error:
    print(type(error).__name__)
"""

SQUAT = """
import os, socket, sys
path = sys.argv[1]
for attempt in (lambda: os.unlink(path), lambda: socket.socket(socket.AF_UNIX).bind(path + "2")):
    try:
        attempt()
        print("done")
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture(scope="module")
def serving(_installed: Account) -> Iterator[Account]:
    """Alice's broker, which holds a token."""
    listen(_installed)
    _installed.write(CONFIG, FEED_CONFIG.replace(TOKEN, SECRET), 0o600)
    assert _installed.look_up().stdout == f"{SECRET}\n"
    yield _installed
    _installed.clear()


@contextlib.contextmanager
def opened(serving: Account) -> Iterator[None]:
    """Every mode on the way to the socket lets everybody in, as a person may have done by mistake."""
    paths = [serving.runtime, serving.runtime / "token-broker", serving.runtime / "token-broker/broker.sock"]
    before = [path.stat().st_mode for path in paths]
    try:
        for path in paths:
            path.chmod(0o777)
        yield
    finally:
        for path, mode in zip(paths, before, strict=True):
            path.chmod(mode)


def run_as(serving: Account, user: str, program: str, *arguments: str | Path) -> str:
    return serving.machine.run(user, PYTHON, "-I", "-c", program, *arguments).stdout.strip()


def address_of_the_secret(process: Path) -> int:
    """Where the daemon keeps it: root may look everywhere."""
    with (process / "mem").open("rb", 0) as memory:
        for line in (process / "maps").read_text().splitlines():
            begin, end, writable = re.match(r"(\w+)-(\w+) (rw)?", line).groups()  # type: ignore[union-attr]
            if writable:
                with contextlib.suppress(OSError):
                    memory.seek(int(begin, 16))
                    found = memory.read(int(end, 16) - int(begin, 16)).find(SECRET.encode())
                    if found >= 0:
                        return int(begin, 16) + found
    raise AssertionError("the secret is nowhere in the daemon's memory")


def test_modes_alone_keep_bob_out(serving: Account) -> None:
    assert run_as(serving, "bob", CONNECT, serving.socket) == "PermissionError"


def test_the_uid_alone_keeps_bob_out(serving: Account) -> None:
    with opened(serving):
        assert run_as(serving, "bob", CONNECT, serving.socket) == "hung up on"
        assert run_as(serving, "alice", CONNECT, serving.socket).startswith("answered")


def test_bob_cannot_take_the_sockets_place(serving: Account) -> None:
    assert run_as(serving, "bob", SQUAT, serving.socket).split() == ["PermissionError"] * 2


@pytest.mark.parametrize(("user", "open_ways"), [("root", WAYS), ("alice", set()), ("bob", set())])
def test_nobody_but_root_reads_the_brokers_memory(serving: Account, user: str, open_ways: set[str]) -> None:
    pid = serving.pid()
    address = address_of_the_secret(serving.machine.root / "proc" / str(pid))

    told = json.loads(run_as(serving, user, ATTACKER, str(pid), str(address), "0"))

    assert set(told) == open_ways
