"""Where the backend of the keyring library asks, and where it does not: another's place is none."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest
from token_broker_keyring import TokenBrokerKeyring

from tests.contract.opened import Opened
from tests.contract.scripted_broker import ScriptedBroker, answers, credential
from tests.contract.test_trust import stranger_listening

URL = "https://feed.example/simple/"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for two users")


@pytest.mark.parametrize("opened", ["directory", "socket"])
def test_broker_in_a_place_open_to_others_is_not_asked(
    backend: TokenBrokerKeyring, broker: ScriptedBroker, opened: str
) -> None:
    broker.will(credential("Fred", "s3cret"))
    (broker.path if opened == "socket" else broker.path.parent).chmod(0o777)

    assert backend.get_password(URL, "Fred") is None
    assert broker.connections == 0


@needs_root
@pytest.mark.parametrize("given", ["directory", "socket"])
def test_broker_in_a_place_of_another_user_is_not_asked(
    backend: TokenBrokerKeyring, broker: ScriptedBroker, given: str
) -> None:
    broker.will(credential("Fred", "s3cret"))
    os.chown(broker.path if given == "socket" else broker.path.parent, 54321, -1)

    assert backend.get_password(URL, "Fred") is None
    assert broker.connections == 0


@needs_root
def test_listener_of_another_user_is_not_asked(backend: TokenBrokerKeyring, place: Path) -> None:
    path = place / "token-broker" / "broker.sock"
    with stranger_listening(path):
        for entry, mode in ((path, 0o600), (path.parent, 0o700)):
            os.chown(entry, 0, 0)
            entry.chmod(mode)

        assert backend.get_password(URL, "Fred") is None


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
@pytest.mark.parametrize("status", [200, 404])
def test_nothing_below_the_working_directory_is_opened(
    backend: TokenBrokerKeyring,
    broker: ScriptedBroker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    broker.will(credential("Fred", "s3cret") if status == 200 else answers(status, "no feed\n"))
    for name in (
        "socket.py",
        "fcntl.py",
        "keyring",
        "brokerd",
        "broker.sock",
        "pyproject.toml",
        "keyringrc.cfg",
    ):
        (tmp_path / name).write_text("raise SystemExit('hostile')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".")

    with Opened(tmp_path) as opened:
        found = backend.get_credential(URL, None)
        names = opened.names()

    assert (found is not None, names) == (status == 200, [])


def test_full_backlog_is_given_up_within_the_budget(
    backend: TokenBrokerKeyring, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_BROKER_TIMEOUT", "0.1")
    path = place / "token-broker" / "broker.sock"
    path.parent.mkdir(mode=0o700)
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting = undo.enter_context(socket.socket(socket.AF_UNIX))
                waiting.settimeout(0)
                waiting.connect(str(path))

        assert backend.get_password(URL, "Fred") is None


@pytest.mark.parametrize(
    ("variable", "value"), [("SOCKET", "relative"), ("SOCKET", "/" + "x" * 200), ("SOCKET", "/dev/null/x")]
)
def test_place_that_is_none_is_none(
    backend: TokenBrokerKeyring, place: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    assert place
    monkeypatch.setenv(f"TOKEN_BROKER_{variable}", value)

    assert backend.get_credential(URL, None) is None
