"""What brokerd says before it serves anybody."""

from pathlib import Path

import pytest

from broker.core.why_not import Topic
from broker.daemon.main import main
from broker.host.why_not_file import WhyNotFile, state_folder


def test_the_system_broker_without_systemds_socket_says_how_to_start_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    monkeypatch.setattr("broker.daemon.main.hardening.close_to_others", lambda: None)

    assert main(["--system"]) == 1
    assert capsys.readouterr().err == (
        "brokerd: the system broker takes its socket from systemd; run: systemctl start token-broker.socket\n"
    )


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("broker.daemon.main.hardening.close_to_others", lambda: None)
    for name in (
        "TOKEN_BROKER_SOCKET",
        "TOKEN_BROKER_CONFIG",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "LISTEN_PID",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def record(home: Path) -> WhyNotFile:
    return WhyNotFile(home / "token-broker" / "broker.sock", state_folder({}, home))


def test_a_start_that_fails_leaves_its_reason(home: Path) -> None:
    (home / "token-broker").write_text("no folder")

    assert main([]) == 1

    (reason,) = record(home).read()
    assert (reason.topic, reason.detail) == (Topic.START, f"{home}/token-broker is not a directory")
    assert reason.hint is not None


def test_a_start_that_ends_by_a_defect_leaves_its_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("it may hold a secret")

    monkeypatch.setattr("broker.daemon.main._place", broken)

    with pytest.raises(ZeroDivisionError):
        main([])

    (reason,) = record(home).read()
    assert reason.detail.startswith("a defect in brokerd (ZeroDivisionError in test_main.py line ")
