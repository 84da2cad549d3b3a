"""brokerctl as a user runs it, in a room where nothing of this machine's user is seen."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Never

import pytest

from broker.ctl.add import secret_location, workable_feed
from broker.ctl.add.secret_location import finds_keychain
from broker.ctl.app import main
from broker.ctl.command_error import CommandError
from broker.ctl.doctor import asked_feeds
from broker.ctl.setup.environment import COPIED, PROXIES
from broker.daemon.new_feed_check import fault_of
from tests.ctl.clinic import Clinic
from tests.ctl.stand_in import StandInBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OURS = (
    "TOKEN_BROKER_",
    "UV_",
    "PIP_",
    "XDG_",
    "COLUMNS",
    "NO_COLOR",
    "FORCE_COLOR",
    "TERM",
    "SSL_",
    "REQUESTS_",
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A short path (a socket must fit into it) that is home, runtime directory and working directory."""
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(prefix="ctl-", dir="/tmp") as short:
        home = Path(short)
        monkeypatch.setenv("HOME", short)
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        monkeypatch.setenv("TZ", "UTC")
        monkeypatch.chdir(tmp_path)
        yield home


@pytest.fixture(autouse=True)
def providers_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """`add` asks the providers without a child, which takes a second to load them."""

    def answer(asked: dict[str, str]) -> dict[str, object]:
        fault = fault_of(asked, os.environ)
        return {} if fault is None else {"detail": fault.detail, "keys": fault.keys}

    monkeypatch.setattr(workable_feed, "answer_to", answer)


@cache
def _finds_keychain(_: frozenset[tuple[str, str]]) -> bool:
    return finds_keychain()


@pytest.fixture(autouse=True)
def keychain_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`add` asks the real keyring library once for each setting of it."""

    def answer() -> bool:
        return _finds_keychain(frozenset(item for item in os.environ.items() if item[0].startswith("PYTHON")))

    monkeypatch.setattr(secret_location, "finds_keychain", answer)


@pytest.fixture
def socket(room: Path) -> Path:
    """Where the user's broker would listen."""
    return room / "token-broker" / "broker.sock"


@pytest.fixture
def broker(socket: Path) -> Iterator[StandInBroker]:
    """A broker that serves; what it says is up to the test."""
    with StandInBroker(socket) as stand_in:
        yield stand_in


@pytest.fixture
def brokerctl(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run brokerctl in this process, as `brokerctl("status", "--json")`."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["brokerctl", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """A room for the doctor, where no service manager answers unless the test brings one."""
    made = Clinic(tmp_path / "home", tmp_path / "project", tmp_path / "programs")
    made.program("systemctl", "exit 1")
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(made.home))
    return made


@pytest.fixture
def shell_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the doctor no broker with this shell's environment comes up, which takes a second where it does."""

    def private_broker() -> Never:
        raise CommandError("it does not start")

    monkeypatch.setattr(asked_feeds, "private_broker", private_broker)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of a person whose PATH has ~/.local/bin first, on a machine without systemd."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    systemctl = programs / "systemctl"
    systemctl.write_text("#!/bin/sh\nexit 1\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home}/.local/bin:{programs}:/usr/bin:/bin")
    for name in (*PROXIES, *COPIED):
        monkeypatch.delenv(name, raising=False)
    return home
