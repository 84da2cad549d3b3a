"""Where no service manager holds the socket, a look-up starts the brokerd beside the shim: one, for all."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.scripted_broker import ScriptedBroker, credential
from tests.contract.shims import RUN_LIMIT_S, Shim, ended
from tests.processes import kill

URL = "https://feed.example/simple/"
NOT_RUNNING = "the broker is not running; run: brokerctl setup"
NOT_STARTED = "brokerd was started and does not serve; run: brokerctl doctor"
MANY = 50
TOO_LONG_S = 10.0  # the whole budget is 20 s

BROKERD = """#!{python} -IS
import fcntl, json, os, sys
sys.path.append({dynload!r})
import _socket
facts = {{
    "arguments": sys.argv[1:],
    "directory": os.getcwd(),
    "passed": "TOKEN_BROKER_PASSED" in os.environ,
    "marked": os.environ.get("MARK"),
    "leads_session": os.getsid(0) == os.getpid(),
    "session": os.getsid(0),
    "descriptors": {{
        entry: os.readlink("/proc/self/fd/" + entry)
        for entry in (os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ())
        if os.path.exists("/proc/self/fd/" + entry)
    }},
}}
with open({started!r} + "/" + str(os.getpid()), "w") as file:
    json.dump(facts, file)
directory = os.environ["XDG_RUNTIME_DIR"] + "/token-broker"
lock = os.open(directory + "/lock", os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.umask(0o177)
listening = _socket.socket(_socket.AF_UNIX)
listening.bind(directory + "/new")
listening.listen(128)
os.rename(directory + "/new", directory + "/broker.sock")
body = b"Fred\\nfrom %d\\n" % os.getpid()
while True:
    descriptor, _ = listening._accept()
    connection = _socket.socket(fileno=descriptor)
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n%s" % (len(body), body))
    connection.close()
"""


@dataclass(frozen=True)
class Installation:
    """A copy of the shim with a brokerd beside it. `started` has a file for each brokerd that ran."""

    shim: Shim
    started: Path

    @property
    def brokerd(self) -> Path:
        return self.shim.program.parent / "brokerd"

    def starts(self) -> dict[int, dict[str, Any]]:
        """What each brokerd that was started found, by process id."""
        return {int(file.name): json.loads(file.read_text()) for file in self.started.iterdir()}


@pytest.fixture
def installation(shim: Shim, place: Path) -> Iterator[Installation]:
    folder = place / "installed"
    folder.mkdir()
    program = folder / "keyring-shim"
    shutil.copy(shim.program, program)
    started = place / "started"
    started.mkdir()
    brokerd = folder / "brokerd"
    dynload = next((entry for entry in sys.path if entry.endswith("lib-dynload")), "")
    brokerd.write_text(BROKERD.format(python=sys.executable, dynload=dynload, started=str(started)))
    brokerd.chmod(0o755)
    installed = Installation(Shim(program, shim.environment, shim.directory), started)
    yield installed
    kill(int(file.name) for file in started.iterdir())  # one may still be writing what it found


def test_broker_is_started_and_answers(installation: Installation) -> None:
    ended = installation.shim("get", URL, "Fred")

    (pid,) = installation.starts()
    assert (ended.code, ended.stdout.decode(), ended.stderr) == (0, f"from {pid}\n", "")


def test_broker_has_no_tie_to_the_lookup_that_started_it(installation: Installation) -> None:
    reader, writer = os.pipe()
    try:
        variables: dict[str, Any] = {"MARK": "kept", "TOKEN_BROKER_PASSED": "1"}
        running = installation.shim.start("get", URL, "Fred", inherits=(writer,), **variables)
        ended(running, *running.communicate(timeout=RUN_LIMIT_S))
    finally:
        os.close(writer)
        os.close(reader)

    ((_, facts),) = installation.starts().items()
    assert facts["arguments"] == ["--idle-exit", "1h"]
    assert facts["directory"] == "/"
    assert (facts["passed"], facts["marked"]) == (False, "kept")
    assert (facts["leads_session"], facts["session"] == os.getsid(0)) == (False, False)
    null = dict.fromkeys(("0", "1", "2"), "/dev/null")
    assert {entry: target for entry, target in facts["descriptors"].items() if entry in null} == null
    assert not [target for target in facts["descriptors"].values() if "pipe:" in target]


def test_second_lookup_finds_the_broker_of_the_first(installation: Installation) -> None:
    first = installation.shim("get", URL, "Fred")
    second = installation.shim("get", URL, "Fred")

    assert first.stdout == second.stdout
    assert len(installation.starts()) == 1


def test_fifty_lookups_at_once_start_one_broker(installation: Installation) -> None:
    running = [installation.shim.start("get", URL, "Fred") for _ in range(MANY)]
    all_ended = [ended(each, *each.communicate(timeout=RUN_LIMIT_S)) for each in running]

    (pid,) = installation.starts()
    assert {(each.code, each.stdout, each.stderr) for each in all_ended} == {(0, b"from %d\n" % pid, "")}


def test_broker_is_found_beside_the_program_behind_a_link(installation: Installation, place: Path) -> None:
    (place / "bin").mkdir()
    (place / "bin/keyring").symlink_to(installation.shim.program)

    ended = installation.shim("get", URL, "Fred", program=place / "bin/keyring")

    assert ended.code == 0
    assert len(installation.starts()) == 1


def test_socket_that_a_killed_broker_left_is_no_obstacle(installation: Installation, place: Path) -> None:
    path = place / "run/token-broker/broker.sock"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(os.fspath(path))
    path.chmod(0o600)

    ended = installation.shim("get", URL, "Fred")

    assert ended.code == 0


def test_directory_is_made_for_the_user_alone(installation: Installation, place: Path) -> None:
    path = place / "home/one/two/three/broker.sock"

    ended = installation.shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(path), TOKEN_BROKER_TIMEOUT="0.3")

    assert ended.line == NOT_STARTED  # this brokerd serves elsewhere
    assert [path.parents[level].stat().st_mode & 0o777 for level in range(3)] == [0o700] * 3


@pytest.mark.parametrize("trusted", [None, str(os.geteuid())])
def test_unsafe_directory_is_not_used(installation: Installation, place: Path, trusted: str | None) -> None:
    directory = place / "run/token-broker"
    directory.mkdir(mode=0o755)

    ended = installation.shim("get", URL, "Fred", TOKEN_BROKER_TRUST_UID=trusted)

    assert (ended.code, ended.line.split(";")[0]) == (1, f"{directory} is open to others (mode 0755)")
    assert installation.starts() == {}


def test_directory_that_cannot_be_made_is_told(installation: Installation) -> None:
    ended = installation.shim("get", URL, "Fred", TOKEN_BROKER_SOCKET="/proc/nothing/here/broker.sock")

    assert ended.code == 1
    assert ended.line.startswith("/proc/nothing/here cannot be used (error ")


@pytest.mark.parametrize("planted", ["link", "directory"])
def test_lock_that_is_not_a_file_is_not_followed(
    installation: Installation, place: Path, planted: str
) -> None:
    directory = place / "run/token-broker"
    directory.mkdir(mode=0o700)
    if planted == "link":
        (directory / "start.lock").symlink_to(place / "target")
    else:
        (directory / "start.lock").mkdir()

    ended = installation.shim("get", URL, "Fred")

    assert (ended.code, ended.line.split(" (")[0]) == (1, f"{directory} cannot be used")
    assert not (place / "target").exists()
    assert installation.starts() == {}


def test_start_can_be_turned_off(installation: Installation) -> None:
    ended = installation.shim("get", URL, "Fred", TOKEN_BROKER_AUTOSTART="0")

    assert (ended.code, ended.line) == (1, NOT_RUNNING)
    assert installation.starts() == {}


def test_what_is_no_lookup_starts_nothing(installation: Installation) -> None:
    installation.shim("set", URL, "Fred")

    assert installation.starts() == {}


@pytest.mark.parametrize("fault", ["missing", "not executable", "a directory"])
def test_no_broker_beside_us_is_none(installation: Installation, fault: str) -> None:
    installation.brokerd.chmod(0o644)
    if fault != "not executable":
        installation.brokerd.unlink()
    if fault == "a directory":
        installation.brokerd.mkdir()

    ended = installation.shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, NOT_RUNNING)


def test_broker_that_cannot_be_run_is_told_at_once(installation: Installation) -> None:
    installation.brokerd.write_text("#!/nowhere/at/all\n")

    ended = installation.shim("get", URL, "Fred")

    assert ended.code == 1
    assert ended.line == f"{installation.brokerd} cannot be run (error 2); run: brokerctl doctor"


def test_broker_that_ends_without_serving_is_told(installation: Installation) -> None:
    installation.brokerd.write_text("#!/bin/sh\nexit 1\n")
    start = time.monotonic()

    ended = installation.shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, NOT_STARTED)
    assert time.monotonic() - start < TOO_LONG_S


def test_broker_started_by_others_meanwhile_is_taken(installation: Installation, place: Path) -> None:
    path = place / "run/token-broker/broker.sock"
    told = place / "told"
    os.mkfifo(told)
    installation.brokerd.write_text(f"#!/bin/sh\necho started >{told}\n")
    running = installation.shim.start("get", URL, "Fred")
    assert told.read_text() == "started\n"

    with ScriptedBroker(path).will(credential("Fred", "of another")):
        stdout, _ = running.communicate(timeout=RUN_LIMIT_S)

    assert stdout == b"of another\n"


def test_system_broker_is_never_started(installation: Installation, system_broker: ScriptedBroker) -> None:
    path = system_broker.path
    path.unlink()

    ended = installation.shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(path))

    assert (ended.code, ended.line) == (1, NOT_RUNNING)
    assert installation.starts() == {}
