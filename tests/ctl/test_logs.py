"""`brokerctl logs`, run as a program of its own: it becomes the one that shows them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.ctl.clinic import Clinic

BROKERCTL = Path(sys.executable).parent / "brokerctl"
UNITS = {"LoadState__socket": "loaded"}


def logs(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [BROKERCTL, "logs", *words], capture_output=True, text=True, check=False, timeout=30
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("clinic")
def test_log_of_a_broker_without_a_service_is_the_file_beside_its_socket(socket: Path) -> None:
    socket.parent.mkdir(mode=0o700)
    (socket.parent / "brokerd.log").write_text("one\ntwo\nthree\n")

    assert logs("-n", "2") == (0, "two\nthree\n", "")


@pytest.mark.usefixtures("clinic")
def test_broker_that_a_look_up_started_has_no_log_and_that_is_said() -> None:
    code, printed, said = logs()

    assert (code, printed) == (1, "")
    assert said.endswith("a look-up had started it; run: brokerctl restart\n")


def test_log_of_the_service_is_the_journals(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.systemd(monkeypatch, **UNITS)
    clinic.program("journalctl", 'echo "$@"')

    code, printed, _ = logs("--lines", "7", "--follow")

    assert code == 0
    assert printed == "--no-pager --user-unit token-broker.service --lines 7 --follow\n"


def test_journal_that_cannot_be_read_is_told_with_its_repair(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.systemd(monkeypatch, **UNITS)
    clinic.program("journalctl", "echo 'No journal files were opened' >&2; exit 1")

    code, printed, said = logs()

    assert (code, printed) == (1, "")
    assert "usermod -aG systemd-journal" in said


def test_zero_lines_make_no_sense() -> None:
    assert logs("-n", "0")[0] == 2
