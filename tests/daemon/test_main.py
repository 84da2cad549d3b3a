"""What brokerd says before it serves anybody."""

import pytest

from broker.daemon.main import main


def test_the_system_broker_without_systemds_socket_says_how_to_start_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    monkeypatch.setattr("broker.daemon.main.hardening.close_to_others", lambda: None)

    assert main(["--system"]) == 1
    assert capsys.readouterr().err == (
        "brokerd: the system broker takes its socket from systemd; run: systemctl start token-broker.socket\n"
    )
