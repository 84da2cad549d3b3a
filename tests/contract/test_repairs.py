"""What a refusal says to type repairs, and changes no folder but one made for the socket."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.scripted_broker import ScriptedBroker, credential
from tests.contract.shims import Shim
from tests.contract.test_degenerate import BROKERD, brokerd, with_a_brokerd
from tests.sampling import sampled
from tests.typed_line import type_line

URL = "https://feed.example/simple/"
OWN = f"token-broker-{os.geteuid()}"
CHANGES = ("chmod", "rm ", "mv ", "chown")

FOLDERS = {"sticky": 0o1777, "shared": 0o775, "readable": 0o755, "home": 0o755, "token-broker": 0o755}
"""Folders of ours in which a socket may be named, and how open they are. None was made for it."""


def seen(folder: Path) -> tuple[int, list[str]]:
    """What a hint must leave as it is."""
    return folder.stat().st_mode, sorted(entry.name for entry in folder.iterdir())


def typed(hint: str, then: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Type the hint into a shell that finds brokerd, and `then` after it."""
    path = f"{BROKERD.parent}:{os.environ['PATH']}"
    return type_line(hint, {**environment, "PATH": path}, then=then)


@pytest.fixture(params=sampled(list(FOLDERS), {"sticky", "home"}))
def folder(request: pytest.FixtureRequest, environment: dict[str, str], place: Path) -> Path:
    """One of FOLDERS, with something of somebody's in it."""
    assert environment["HOME"] == f"{place}/home"
    folder = place / str(request.param)
    folder.mkdir(exist_ok=True)
    (folder / "precious").write_text("kept")
    folder.chmod(FOLDERS[request.param])
    return folder


@pytest.fixture
def started() -> Iterator[list[Path]]:
    """Sockets at which a test has a broker started: it is ended afterwards."""
    sockets: list[Path] = []
    yield sockets
    for socket in sockets:
        lock = socket.with_name("broker.lock")
        if lock.exists() and lock.read_text():
            os.kill(int(lock.read_text()), signal.SIGKILL)


def test_shim_names_a_folder_for_the_socket_alone_and_that_repairs(
    shim: Shim, place: Path, folder: Path, started: list[Path]
) -> None:
    shim = with_a_brokerd(shim, place)
    (shim.program.parent / "brokerd").write_text(f'#!/bin/sh\nexec {BROKERD} "$@"\n')
    socket = folder / OWN / "broker.sock"
    before = seen(folder)

    refused = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{folder}/x.sock")

    what, hint = refused.line.split("; run: ")
    mode = before[0] & 0o777
    assert refused.code == 1
    assert what == f"{folder} is open to others (mode {mode:04o}): the socket wants a folder of its own"
    assert hint == f"export TOKEN_BROKER_SOCKET={socket}"
    started.append(socket)
    answered = typed(hint, f"exec {shim.program} get {URL} Fred", dict(shim.environment))
    assert (answered.returncode, answered.stderr) == (1, ""), "a broker was asked, and has no such feed"
    assert socket.is_socket()
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert seen(folder) == (before[0], sorted([*before[1], OWN]))


def relative(_: Path) -> dict[str, str]:
    return {"TOKEN_BROKER_SOCKET": "run/token-broker/broker.sock"}


def a_folder(_: Path) -> dict[str, str]:
    return {"TOKEN_BROKER_SOCKET": "/"}


def too_long(place: Path) -> dict[str, str]:
    return {"TOKEN_BROKER_SOCKET": f"{place}/{'d' * 200}/s"}


def open_socket(place: Path) -> dict[str, str]:
    (place / "run/token-broker/broker.sock").chmod(0o666)
    return {}


def open_folder(place: Path) -> dict[str, str]:
    (place / "run/token-broker").chmod(0o755)
    return {}


def other_uid(place: Path) -> dict[str, str]:
    open_folder(place)
    return {"TOKEN_BROKER_TRUST_UID": "54321"}


REPAIRED: dict[str, tuple[Callable[[Path], dict[str, str]], str]] = {
    "relative": (relative, "unset TOKEN_BROKER_SOCKET"),
    "a folder": (a_folder, "unset TOKEN_BROKER_SOCKET"),
    "too long": (too_long, "export TOKEN_BROKER_SOCKET=/a/shorter/path"),
    "open socket": (open_socket, "chmod 600 {}/run/token-broker/broker.sock"),
    "open folder": (open_folder, "chmod 700 {}/run/token-broker"),
    "another uid": (other_uid, "export TOKEN_BROKER_TRUST_UID={uid} if you trust it"),
}


@pytest.mark.parametrize("fault", REPAIRED)
def test_the_line_that_a_shim_tells_gets_the_answer(
    shim: Shim, broker: ScriptedBroker, place: Path, fault: str
) -> None:
    arrange, line = REPAIRED[fault]
    variables = arrange(place)
    broker.will(credential("Fred", "s3cret"))
    environ = {**shim.environment, **variables}
    refused = replace(shim, environment=environ)("get", URL, "Fred")

    hint = refused.line.rpartition("; run: ")[2]
    told = hint.replace("/a/shorter/path", str(broker.path))
    answered = typed(told, f"exec {shim.program} get {URL} Fred", environ)

    assert hint == line.format(place, uid=os.geteuid())
    assert (answered.returncode, answered.stdout) == (0, "s3cret\n")


def test_a_file_in_the_sockets_place_is_removed_or_shown_by_the_line(shim: Shim, place: Path) -> None:
    folder = place / "run/token-broker"
    folder.touch()
    shown = type_line(shim("get", URL, "Fred").line.rpartition("; run: ")[2])
    folder.unlink()
    folder.mkdir(mode=0o700)
    (folder / "broker.sock").touch(mode=0o600)

    removed = type_line(shim("get", URL, "Fred").line.rpartition("; run: ")[2])

    assert (shown.stdout[0], shown.stdout.split()[-1]) == ("-", str(folder))
    assert (removed.returncode, list(folder.iterdir())) == (0, [])


def test_shim_does_not_say_to_remove_a_file_that_is_not_in_its_own_folder(shim: Shim, place: Path) -> None:
    folder = place / "keys"
    folder.mkdir(mode=0o700)
    (folder / "id").write_text("kept")

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{folder}/id")

    assert ended.line == (
        f"{folder}/id is not a socket: the socket wants a folder of its own; "
        f"run: export TOKEN_BROKER_SOCKET={folder}/{OWN}/broker.sock"
    )


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize("folder", ["/", "/tmp", "/run", "/var", "/usr/bin", "/root/.."])
def test_no_folder_of_the_system_is_to_be_changed(shim: Shim, folder: str) -> None:
    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{folder.rstrip('/')}/x.sock")

    base = folder.rstrip("/")
    assert ended.code == 1
    assert ended.line.endswith(f"; run: export TOKEN_BROKER_SOCKET={base}/token-broker-0/broker.sock")


def test_daemon_names_a_folder_for_the_socket_alone_and_that_repairs(
    environment: dict[str, str], place: Path, folder: Path
) -> None:
    environment["XDG_STATE_HOME"] = str(place / "state")  # where the reason of a failed start is kept
    before = seen(folder)
    what = f"brokerd: the directory {folder} is open to other users: the socket wants a folder of its own"
    socket = f"{folder}/{OWN}/broker.sock"

    by_variable = brokerd(place, environment, TOKEN_BROKER_SOCKET=f"{folder}/x.sock")
    by_option = brokerd(place, environment, "--socket", f"{folder}/x.sock")

    assert by_variable.stderr == f"{what}; run: export TOKEN_BROKER_SOCKET={socket}\n"
    assert by_option.stderr == f"{what}; run: brokerd --socket {socket}\n"
    hints = [each.stderr.rstrip("\n").split("; run: ")[1] for each in (by_variable, by_option)]
    served = [
        typed(hints[0], "exec brokerd --idle-exit 10ms", environment),
        typed(f"{hints[1]} --idle-exit 10ms", "", environment),
    ]
    assert [(each.returncode, "reason=" in each.stderr) for each in served] == [(0, True)] * 2
    assert seen(folder) == (before[0], sorted([*before[1], OWN]))


@pytest.mark.parametrize("kind_of_place", ["a link", "a file"])
def test_daemon_does_not_say_to_move_or_remove_what_was_not_made_for_the_socket(
    environment: dict[str, str], place: Path, kind_of_place: str
) -> None:
    taken = place / "taken"
    if kind_of_place == "a link":
        taken.symlink_to(place / "run")
    else:
        taken.write_text("kept")

    ended = brokerd(place, environment, "--socket", f"{taken}/x.sock")

    assert ended.code == 1
    assert not any(change in ended.stderr for change in CHANGES)
    assert ended.stderr.endswith(f"; run: brokerd --socket /tmp/{OWN}/broker.sock\n")


@pytest.mark.usefixtures("needs_root")
def test_daemon_does_not_say_to_move_the_folder_of_another_user(
    environment: dict[str, str], place: Path
) -> None:
    folder = place / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 54321, -1)

    ended = brokerd(place, environment, TOKEN_BROKER_SOCKET=f"{folder}/x.sock")

    assert not any(change in ended.stderr for change in CHANGES)
    assert ended.stderr.endswith(f"; run: export TOKEN_BROKER_SOCKET=/tmp/{OWN}/broker.sock\n")


@pytest.mark.parametrize("slashes", sampled(["", "/", "//"], {"/"}))
def test_folder_that_the_broker_makes_itself_is_closed_by_the_hint(
    shim: Shim, environment: dict[str, str], place: Path, slashes: str
) -> None:
    folder = place / "run/token-broker"
    folder.mkdir(mode=0o755)
    environment["XDG_RUNTIME_DIR"] = f"{place}/run{slashes}"

    by_shim = shim("get", URL, "Fred", XDG_RUNTIME_DIR=f"{place}/run{slashes}").line.split("; run: ")[1]
    by_daemon = brokerd(place, environment).stderr.rstrip("\n").split("; run: ")[1]

    assert by_shim == f"chmod 700 {place}/run{slashes}/token-broker"
    assert by_daemon == f"chmod 700 {folder}"
    served = typed(by_shim, "exec brokerd --idle-exit 10ms", environment)
    assert (served.returncode, "reason=" in served.stderr) == (0, True)
