"""Whom a shim believes: what is not surely the user's own broker gets no question and gives no answer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.scripted_broker import ScriptedBroker, credential
from tests.contract.shims import Shim
from tests.typed_line import type_line

URL = "https://feed.example/simple/"
STRANGER = 54321  # a uid that nobody has


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o1777])
def test_directory_open_to_others_is_refused(shim: Shim, broker: ScriptedBroker, mode: int) -> None:
    broker.will(credential("Fred", "s3cret"))
    directory = broker.path.parent
    directory.chmod(mode)

    ended = shim("get", URL, "Fred")

    assert (ended.code, broker.connections) == (1, 0)
    shown = f"{mode & 0o777:04o}"
    assert ended.line == f"{directory} is open to others (mode {shown}); run: chmod 700 {directory}"


@pytest.mark.parametrize("mode", [0o666, 0o660, 0o606])
def test_socket_open_to_others_is_refused(shim: Shim, broker: ScriptedBroker, mode: int) -> None:
    broker.will(credential("Fred", "s3cret"))
    broker.path.chmod(mode)

    ended = shim("get", URL, "Fred")

    assert (ended.code, broker.connections) == (1, 0)
    assert ended.line == f"{broker.path} is open to others (mode {mode:04o}); run: chmod 600 {broker.path}"


def test_symbolic_link_for_a_directory_is_refused(shim: Shim, broker: ScriptedBroker, place: Path) -> None:
    broker.will(credential("Fred", "s3cret"))
    link = place / "link"
    link.symlink_to(broker.path.parent)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{link}/broker.sock")

    assert (ended.code, broker.connections) == (1, 0)
    assert ended.line == f"{link} is not a directory; run: ls -ld {link}"


def test_symbolic_link_for_a_socket_is_refused(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))
    link = broker.path.parent / "link"
    link.symlink_to(broker.path)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(link))

    assert (ended.code, broker.connections) == (1, 0)
    assert ended.line == f"{link} is not a socket; run: rm {link}"


def test_file_for_a_socket_is_refused(shim: Shim, place: Path) -> None:
    path = place / "run/token-broker/broker.sock"
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, f"{path} is not a socket; run: rm {path}")


def test_folder_for_a_socket_is_told_with_a_line_that_clears_the_place(shim: Shim, place: Path) -> None:
    path = place / "run/token-broker/broker.sock"
    path.parent.mkdir(mode=0o700)
    path.mkdir()

    ended = shim("get", URL, "Fred")

    what, hint = ended.line.split("; run: ")
    assert (ended.code, what) == (1, f"{path} is a folder, not a socket")
    assert type_line(hint).returncode == 0
    assert [each.name for each in path.parent.iterdir()] == ["broker.sock.not-mine"]


def test_file_on_the_way_is_told(shim: Shim, place: Path) -> None:
    (place / "run/token-broker").touch()

    ended = shim("get", URL, "Fred")

    assert ended.code == 1
    assert ended.line == f"{place}/run/token-broker is not a directory; run: ls -ld {place}/run/token-broker"


def test_named_uid_may_listen_anywhere(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))
    broker.path.parent.chmod(0o755)
    broker.path.chmod(0o666)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TRUST_UID=str(os.geteuid()))

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


def test_other_uid_than_the_named_one_is_refused(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))
    broker.path.parent.chmod(0o755)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TRUST_UID=str(STRANGER))

    assert (ended.code, broker.requests) == (1, [])
    assert ended.line.startswith(f"{broker.path} is served by uid {os.geteuid()}, not by you; run: ")


def test_named_uid_takes_nothing_from_our_own_place(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TRUST_UID=str(STRANGER))

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


@pytest.mark.parametrize(
    "text",
    ["", "root", "-1", " 0", "0x0", "99999999999", str(2**32 + os.geteuid()), "\N{ARABIC-INDIC DIGIT ZERO}"],
)
def test_uid_that_is_no_number_is_nobody(shim: Shim, broker: ScriptedBroker, text: str) -> None:
    broker.will(credential("Fred", "s3cret"))
    broker.path.parent.chmod(0o755)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TRUST_UID=text)

    assert (ended.code, broker.connections) == (1, 0)
    assert "is open to others" in ended.line


LISTENER = """
import os, socket, sys
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(8)
print("listening", flush=True)
while True:
    connection, _ = listening.accept()
    print(connection.recv(65536), flush=True)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 12\\r\\n\\r\\nFred\\ns3cret\\n")
    connection.close()
"""


@contextmanager
def stranger_listening(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Let another user listen at `path`, in a directory that it can write; end it afterwards."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (path.parent, *path.parents[1:3]):
        folder.chmod(0o777)
    command = [sys.executable, "-I", "-c", LISTENER, str(path), str(STRANGER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"listening\n"
            yield running
        finally:
            running.kill()


@pytest.mark.usefixtures("needs_root")
def test_directory_of_another_user_is_refused(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))
    os.chown(broker.path.parent, STRANGER, -1)

    ended = shim("get", URL, "Fred")

    assert (ended.code, broker.connections) == (1, 0)
    assert ended.line.startswith(f"{broker.path.parent} belongs to uid {STRANGER}, not to you; run: ")


@pytest.mark.usefixtures("needs_root")
def test_socket_of_another_user_is_refused(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))
    os.chown(broker.path, STRANGER, -1)

    ended = shim("get", URL, "Fred")

    assert (ended.code, broker.connections) == (1, 0)
    assert ended.line.startswith(f"{broker.path} belongs to uid {STRANGER}, not to you; run: ")


@pytest.mark.usefixtures("needs_root")
def test_listener_of_another_user_is_refused_whatever_the_modes(shim: Shim, place: Path) -> None:
    path = place / "run/token-broker/broker.sock"
    with stranger_listening(path) as stranger:
        for entry, mode in ((path, 0o600), (path.parent, 0o700), (path.parents[1], 0o700)):
            os.chown(entry, 0, 0)
            entry.chmod(mode)

        ended = shim("get", URL, "Fred")

        stranger.kill()
        heard, _ = stranger.communicate()
    assert ended.code == 1
    assert ended.line.startswith(f"{path} is served by uid {STRANGER}, not by you; run: ")
    assert heard in (b"", b"b''\n"), "not a byte of the question"


@pytest.mark.usefixtures("needs_root")
def test_listener_of_the_named_user_is_trusted(shim: Shim, place: Path) -> None:
    path = place / "run/mounted/broker.sock"
    with stranger_listening(path):
        ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(path), TOKEN_BROKER_TRUST_UID=str(STRANGER))

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


@pytest.mark.usefixtures("needs_root")
def test_system_directory_of_another_user_is_refused(shim: Shim, system_broker: ScriptedBroker) -> None:
    system_broker.will(credential("Fred", "s3cret"))
    os.chown(system_broker.path.parent, STRANGER, -1)

    ended = shim("get", URL, "Fred")

    assert (ended.code, system_broker.connections) == (1, 0)
    assert ended.line.startswith(f"{system_broker.path.parent} can be written by others than root; run: ")


@pytest.mark.usefixtures("needs_root")
def test_system_broker_may_run_as_any_user(shim: Shim, system_broker: ScriptedBroker) -> None:
    path = system_broker.path
    path.unlink()
    with stranger_listening(path):
        path.parent.chmod(0o755)
        ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout) == (0, b"s3cret\n")


UNMAPPED = 65534  # whose everything is that belongs to nobody in our user namespace
SAME_USER = "run: docker run --user UID, or podman run --userns=keep-id"
HOST_USERS = "run: docker run --userns=host --user UID, or podman run --userns=keep-id"


@pytest.mark.usefixtures("needs_root")
def test_owner_whom_a_container_has_no_number_for_is_not_offered_for_trust(
    shim: Shim, broker: ScriptedBroker
) -> None:
    broker.will(credential("Fred", "s3cret"))
    directory = broker.path.parent
    os.chown(directory, UNMAPPED, -1)

    ended = shim("get", URL, "Fred")

    assert (ended.code, broker.connections) == (1, 0)
    what = f"{directory} belongs to uid {UNMAPPED}, not to you"
    assert ended.line == f"{what}: a user who has no number in this container; {HOST_USERS}"


@pytest.fixture
def closed_folder(place: Path) -> Path:
    """A folder for a socket that only its owner can enter, in one that everybody can."""
    for folder in (place, place / "empty", place / "run"):
        folder.chmod(0o755)
    return place / "run/mounted"


@pytest.mark.usefixtures("needs_root")
def test_trust_is_not_offered_where_the_folder_would_not_let_us_in_anyway(
    strangers_shim: Shim, closed_folder: Path
) -> None:
    path = closed_folder / "broker.sock"
    with ScriptedBroker(path):
        ended = strangers_shim("get", URL, "Fred", user=STRANGER, TOKEN_BROKER_SOCKET=str(path))

    assert ended.code == 1
    assert (
        ended.line == f"{path.parent} belongs to uid 0, not to you, and lets only its owner in; {SAME_USER}"
    )


@pytest.mark.usefixtures("needs_root")
def test_trusted_owner_who_lets_nobody_else_in_is_told_from_a_broken_socket(
    strangers_shim: Shim, closed_folder: Path
) -> None:
    path = closed_folder / "broker.sock"
    with ScriptedBroker(path):
        ended = strangers_shim(
            "get", URL, "Fred", user=STRANGER, TOKEN_BROKER_SOCKET=str(path), TOKEN_BROKER_TRUST_UID="0"
        )

    assert ended.code == 1
    assert ended.line == f"{path} lets only its owner in, and you are uid {STRANGER}; {SAME_USER}"
