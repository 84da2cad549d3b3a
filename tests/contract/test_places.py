"""Where a shim looks for its broker, and which broker it asks (CONTRACT sections 2 and 3)."""

from __future__ import annotations

import errno
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.conftest import Session
from tests.contract.scripted_broker import ScriptedBroker, answers, credential
from tests.contract.shims import Shim
from tests.typed_line import type_line

URL = "https://feed.example/simple/"
NOT_RUNNING = "the broker is not running; run: brokerctl setup"
LIMIT = 103 if sys.platform == "darwin" else 107
linux_only = pytest.mark.skipif(sys.platform == "darwin", reason="macOS has ~/Library/Caches before these")
no_run_user = pytest.mark.skipif(
    Path(f"/run/user/{os.geteuid()}").is_dir(), reason="this user's /run/user comes before the home"
)


def test_named_socket_comes_first(shim: Shim, broker: ScriptedBroker, place: Path) -> None:
    broker.will(credential("Fred", "from the runtime directory"))
    with ScriptedBroker(place / "named" / "s").will(credential("Fred", "from the variable")):
        ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{place}/named/s")

    assert ended.stdout == b"from the variable\n"


def test_empty_variable_names_nothing(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET="")

    assert ended.stdout == b"s3cret\n"


def test_relative_socket_is_refused(shim: Shim, broker: ScriptedBroker) -> None:
    broker.will(credential("Fred", "s3cret"))

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET="run/token-broker/broker.sock")

    assert (ended.code, broker.connections) == (1, 0)
    assert ended.line == "TOKEN_BROKER_SOCKET is not an absolute path; run: unset TOKEN_BROKER_SOCKET"


def test_longest_path_that_the_system_can_bind_is_asked(shim: Shim, place: Path) -> None:
    path = Path(f"{place}/p/".ljust(LIMIT, "x"))
    with ScriptedBroker(path).will(credential("Fred", "s3cret")):
        ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(path))

    assert ended.stdout == b"s3cret\n"


@pytest.mark.parametrize("length", [LIMIT + 1, 5000])
def test_longer_path_is_a_clear_error(shim: Shim, place: Path, length: int) -> None:
    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=f"{place}/p/".ljust(length, "x"))

    assert ended.code == 1
    assert ended.line == (
        f"the socket's path is longer than {LIMIT} bytes; run: export TOKEN_BROKER_SOCKET=/a/shorter/path"
    )


def test_path_through_a_file_is_told(shim: Shim) -> None:
    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET="/dev/null/x/y")

    assert ended.code == 1
    assert ended.line == f"/dev/null/x/y cannot be used (error {errno.ENOTDIR}); run: brokerctl doctor"


def _machine_id() -> str:
    file = Path("/etc/machine-id")
    text = file.read_text().strip() if file.is_file() else ""
    return text if len(text) == 32 else os.uname().nodename


@linux_only
@no_run_user
@pytest.mark.parametrize("runtime", [None, "", "run", "/nowhere/at/all", "/dev/null"])
def test_home_is_the_place_where_there_is_no_runtime_directory(
    shim: Shim, place: Path, runtime: str | None
) -> None:
    path = place / "home/.cache/token-broker" / _machine_id() / "broker.sock"
    with ScriptedBroker(path).will(credential("Fred", "s3cret")):
        ended = shim("get", URL, "Fred", XDG_RUNTIME_DIR=runtime)

    assert ended.stdout == b"s3cret\n"


@linux_only
@no_run_user
@pytest.mark.usefixtures("needs_root")
def test_runtime_directory_of_another_user_is_skipped(
    shim: Shim, broker: ScriptedBroker, place: Path
) -> None:
    broker.will(credential("Fred", "wrong"))
    os.chown(place / "run", 12345, -1)

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line, broker.connections) == (1, NOT_RUNNING, 0)


@linux_only
@no_run_user
@pytest.mark.parametrize("home", [None, "", "home"])
def test_no_place_at_all_is_a_clear_error(shim: Shim, home: str | None) -> None:
    ended = shim("get", URL, "Fred", XDG_RUNTIME_DIR=None, HOME=home)

    said, _, line = ended.line.partition("; run: ")
    assert (ended.code, said) == (1, "neither XDG_RUNTIME_DIR nor HOME is set")
    environment = {"PATH": os.environ["PATH"]} | ({} if home is None else {"HOME": home})
    typed = type_line(line, environment, then='printf %s "$HOME"')
    assert typed.stdout == pwd.getpwuid(os.geteuid()).pw_dir


@pytest.mark.parametrize("directory", [False, True], ids=["no directory", "no socket"])
def test_no_broker_is_said_once(shim: Shim, place: Path, directory: bool) -> None:
    if directory:
        (place / "run/token-broker").mkdir(mode=0o700)

    ended = shim("get", URL, "Fred")
    passed = shim("get", URL, "Fred", TOKEN_BROKER_PASSED="1")

    assert (ended.code, ended.line) == (1, NOT_RUNNING)
    assert (passed.code, passed.stderr) == (1, "")


@pytest.mark.parametrize("status", [400, 404])
def test_system_broker_is_asked_for_what_is_no_feed_of_the_user(
    shim: Shim, broker: ScriptedBroker, system_broker: ScriptedBroker, status: int
) -> None:
    broker.will(answers(status, "no feed\n"))
    system_broker.will(credential("ci", "of the system"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout) == (0, b"of the system\n")


def test_system_broker_is_asked_where_the_user_has_none(shim: Shim, system_broker: ScriptedBroker) -> None:
    system_broker.will(credential("ci", "of the system"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout, ended.stderr) == (0, b"of the system\n", "")


def test_machine_with_a_system_broker_needs_no_setup(shim: Shim, system_broker: ScriptedBroker) -> None:
    system_broker.will(answers(404, "no feed\n"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stderr) == (1, "")


@pytest.mark.parametrize("status", [401, 403, 409, 500, 502, 503])
def test_feed_of_the_user_is_nobody_elses_question(
    shim: Shim, broker: ScriptedBroker, system_broker: ScriptedBroker, status: int
) -> None:
    broker.will(answers(status, "labs: no; run: it\n"))
    system_broker.will(credential("ci", "of the system"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, system_broker.connections) == (1, 0)


def test_failure_of_the_system_broker_is_told(
    shim: Shim, broker: ScriptedBroker, system_broker: ScriptedBroker
) -> None:
    broker.will(answers(404, "no feed\n"))
    system_broker.will(answers(403, "models: not for uid 1001; run: groups\n"))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.line) == (1, "models: not for uid 1001; run: groups")


def test_system_broker_named_as_the_users_is_asked_once(
    shim: Shim, system_broker: ScriptedBroker, session: Session
) -> None:
    system_broker.will(answers(404, "no feed\n"))

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(session.system_socket))

    assert (ended.code, ended.stderr, system_broker.connections) == (1, "", 1)


@pytest.mark.parametrize(
    "spelling", ["{0}//system/broker.sock", "{0}/./system/./broker.sock", "/{0}/system//broker.sock", "{1}"]
)
def test_system_socket_is_known_however_it_is_written(
    shim: Shim, system_broker: ScriptedBroker, session: Session, place: Path, spelling: str
) -> None:
    system_broker.will(answers(404, "no feed\n"))
    (place / "run" / "linked").symlink_to(session.folder)

    written = spelling.format(session.folder, place / "run" / "linked" / "system" / "broker.sock")
    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=written)

    assert (ended.code, ended.stderr, system_broker.connections) == (1, "", 1)


@pytest.mark.parametrize("kind_of_path", ["folder", "socket"])
def test_control_characters_of_a_path_are_shown_escaped_on_one_line(
    shim: Shim, place: Path, kind_of_path: str
) -> None:
    folder = place / "run" / "a\n'b\\\x1b"
    folder.mkdir(mode=0o755 if kind_of_path == "folder" else 0o700)
    (folder / "broker.sock").write_text("")

    ended = shim("get", URL, "Fred", TOKEN_BROKER_SOCKET=str(folder / "broker.sock"))

    assert (ended.code, ended.stderr.count("\n")) == (1, 1)
    assert f"{place}/run/a\\012'b\\\\033" in ended.line
    word = ended.line.partition("TOKEN_BROKER_SOCKET=")[2]
    said = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, text=True, check=True)
    assert said.stdout == f"{folder}/token-broker-{os.geteuid()}/broker.sock"


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_system_directory_that_others_can_write_is_refused(
    shim: Shim, system_broker: ScriptedBroker, session: Session, mode: int
) -> None:
    system_broker.will(credential("ci", "of the system"))
    directory = session.system_socket.parent
    directory.chmod(mode)

    ended = shim("get", URL, "Fred")

    assert (ended.code, system_broker.connections) == (1, 0)
    assert ended.line == f"{directory} can be written by others than root; run: sudo brokerctl doctor"


def test_named_uid_does_not_open_the_system_directory(
    shim: Shim, system_broker: ScriptedBroker, session: Session
) -> None:
    system_broker.will(credential("ci", "of the system"))
    session.system_socket.parent.chmod(0o777)

    ended = shim("get", URL, "Fred", TOKEN_BROKER_TRUST_UID=str(os.geteuid()))

    assert (ended.code, system_broker.connections) == (1, 0)


@pytest.mark.usefixtures("needs_root")
def test_system_broker_that_does_not_let_us_in_is_none(
    strangers_shim: Shim, system_broker: ScriptedBroker, place: Path
) -> None:
    system_broker.will(credential("ci", "of the system"))
    place.chmod(0o755)
    (place / "empty").chmod(0o755)

    ended = strangers_shim("get", URL, "Fred", user=54321, HOME="/nowhere/at/all", XDG_RUNTIME_DIR=None)

    assert (ended.code, ended.line) == (1, NOT_RUNNING)
    assert system_broker.connections == 0
