"""Every verb on a machine where something usual is missing: a plain answer, and never a defect."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import token_broker_client as client

from broker.ctl import user_files
from broker.ctl.api_client import is_system_socket
from broker.ctl.service import launchctl, systemd
from broker.host.whereabouts import NOWHERE, home_of, working_directory
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

URL = "https://feed.example/simple/"

VERBS = [
    ("status",),
    ("doctor",),
    ("discover", "--offline"),
    ("get", URL),
    ("explain", URL),
    ("setup", "--dry-run"),
    ("teardown", "--dry-run"),
    ("logs",),
    ("reload",),
    ("remove", "corp"),
    ("exec", "no-such-command"),
    ("--version",),
]


def no_home(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)


def home_is_a_device(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setenv("HOME", os.devnull)


def home_is_relative(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setenv("HOME", "rel")


def directory_is_gone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()


def names_are_not_utf_8(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/odd-\xff"))
    odd.mkdir()
    monkeypatch.chdir(odd)
    monkeypatch.setenv("HOME", str(odd))
    monkeypatch.setenv("PATH", f"{odd}:{os.environ['PATH']}")
    monkeypatch.setenv("TOKEN_BROKER_CONFIG", str(odd / "config.toml"))


MACHINES = [no_home, home_is_a_device, home_is_relative, directory_is_gone, names_are_not_utf_8]


QUICK = [(machine, VERBS[number % len(VERBS)]) for number, machine in enumerate(MACHINES)]
QUICK += [(machine, ("exec", "no-such-command")) for machine in MACHINES]
"""Each machine with a verb of its own, and `exec` on each; the others are long tests."""

ALL = [(machine, words) for machine in MACHINES for words in VERBS]


@pytest.mark.parametrize(
    ("machine", "words"),
    [pytest.param(*each, marks=[] if each in QUICK else pytest.mark.long) for each in ALL],
)
def test_no_verb_breaks_there(
    brokerctl: Brokerctl,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    machine: Callable[[pytest.MonkeyPatch, Path], None],
    words: tuple[str, ...],
) -> None:
    machine(monkeypatch, tmp_path)
    try:
        ended = brokerctl(*words)
    finally:
        os.chdir(tmp_path)

    assert "defect" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.exit_code in {0, 1, 2, 3, 125, 127}


@pytest.mark.parametrize(
    ("number", "command"),
    [
        (errno.ENOSPC, "df -h '{}/two words'"),
        (errno.EDQUOT, "df -h '{}/two words'"),
        (errno.EROFS, "df -h '{}/two words'"),
        (errno.ENOENT, "ls -ld '{}/two words/link to nothing'"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_with_a_line_about_what_is_there(
    number: int, command: str, tmp_path: Path
) -> None:
    link = tmp_path / "two words" / "link to nothing"
    link.parent.mkdir()
    link.symlink_to("nothing")

    failure = user_files.trouble(
        link / "never made" / "file", "written", OSError(number, os.strerror(number))
    )

    assert failure.hint == command.format(tmp_path)
    shown = type_line(failure.hint)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_start_on_a_read_only_disk_says_that_it_is(
    brokerctl: Brokerctl, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(folder: Path, **_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))

    monkeypatch.setattr(Path, "mkdir", refused)

    said = f"token-broker: {room}/token-broker cannot be used: read-only file system; run: brokerctl doctor\n"
    assert brokerctl("start").stderr == said


@pytest.mark.parametrize("home", [None, "", "rel", "."])
def test_a_home_that_is_not_absolute_is_the_accounts(
    home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {} if home is None else {"HOME": home}

    assert home_of(environ).is_absolute()
    monkeypatch.setenv("HOME", "")
    no_home(monkeypatch, Path())
    assert home_of(environ) == NOWHERE


def test_a_working_directory_that_is_gone_is_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    directory_is_gone(monkeypatch, tmp_path)
    found = working_directory()
    os.chdir(tmp_path)

    assert found == NOWHERE


@pytest.mark.parametrize(
    ("path", "is_the_systems"),
    [
        (client.SYSTEM_SOCKET, True),
        ("/run//token-broker/broker.sock", True),
        ("/run/../run/token-broker/./broker.sock", True),
        ("/run/user/0/token-broker/broker.sock", False),
        (None, False),
    ],
)
def test_the_systems_socket_is_known_however_it_is_written(path: str | None, is_the_systems: bool) -> None:
    assert is_system_socket(path) is is_the_systems


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "no"), "is not installed, or not on PATH"),
        (
            BlockingIOError(errno.EAGAIN, "no"),
            "could not be started: this user or service may start",
        ),
        (OSError(errno.ENOMEM, "no"), "could not be started: the machine has no memory left"),
        (subprocess.TimeoutExpired("no-such-tool", 20), "did not end within 20 s"),
    ],
)
@pytest.mark.parametrize(
    ("tool", "ask"),
    [
        ("systemd-sysusers", lambda: systemd.made_users("x")),
        ("launchctl", lambda: launchctl.load(Path("/x.plist"))),
    ],
)
def test_a_service_tool_that_is_absent_hangs_or_finds_no_process_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    error: Exception,
    said: str,
    tool: str,
    ask: Callable[[], str | None],
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("subprocess.run", failing)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert str(ask()).startswith(f"{tool} {said}")
