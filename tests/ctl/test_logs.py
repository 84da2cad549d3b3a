"""`brokerctl logs`, run as a program of its own where it becomes the one that shows them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.core.why_not import Topic, WhyNot
from broker.host.clock import SystemClock
from broker.host.why_not_file import WhyNotFile
from tests.ctl.conftest import Ended
from tests.ctl.found_feeds import at, house
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.clinic import Clinic
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

BROKERCTL = Path(sys.executable).parent / "brokerctl"
UNITS = {"LoadState__socket": "loaded"}


def logs(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [BROKERCTL, "logs", *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("clinic")
def test_log_of_a_broker_without_a_service_is_the_file_beside_its_socket(socket: Path) -> None:
    socket.parent.mkdir(mode=0o700)
    (socket.parent / "brokerd.log").write_text("one\ntwo\nthree\n")

    assert logs("-n", "2") == (0, "two\nthree\n", "")


@pytest.mark.usefixtures("clinic")
def test_log_of_a_broker_that_a_look_up_started_is_what_it_remembers(
    brokerctl: Brokerctl, broker: StandInBroker
) -> None:
    broker.answers["GET /v1/logs"] = 200, {"lines": ["one", "two", "three"], "last": 3}

    assert brokerctl("logs", "-n", "2") == Ended(0, "two\nthree\n", "")


@pytest.mark.usefixtures("clinic")
@pytest.mark.parametrize(
    ("written", "shown"),
    [(at(-60), "remembered\n"), (at(0), "remembered\n"), (at(1), "in the file\n")],
)
def test_the_file_of_an_earlier_broker_is_not_taken_for_the_running_ones(
    written: str, shown: str, socket: Path, broker: StandInBroker
) -> None:
    """What `brokerctl start` started is stopped, and a look-up starts the next one, which writes no file."""
    log = socket.parent / "brokerd.log"
    log.write_text("in the file\n")
    second = datetime.fromisoformat(written).timestamp()
    os.utime(log, (second, second))
    broker.answers["GET /v1/status"] = 200, {**house(), "started_at": at(0)}
    broker.answers["GET /v1/logs"] = 200, {"lines": ["remembered"], "last": 1}

    assert logs() == (0, shown, "")


@pytest.mark.usefixtures("clinic")
def test_where_no_broker_runs_and_nothing_was_kept_that_is_said(brokerctl: Brokerctl) -> None:
    said = "token-broker is not running, and the last one left no log: one that a look-up starts writes none"

    assert brokerctl("logs") == Ended(3, "", f"{said}; run: brokerctl start\n")


@pytest.mark.usefixtures("clinic")
def test_the_line_that_logs_tells_starts_a_broker_whose_log_is_there_afterwards() -> None:
    _, _, said = logs()
    path = f"{BROKERCTL.parent}:{os.environ['PATH']}"
    type_line(said.partition("; run: ")[2], {**os.environ, "PATH": path})
    subprocess.run([BROKERCTL, "stop"], check=True, capture_output=True, timeout=60)
    code, printed, _ = logs()

    assert code == 0
    assert "ended reason=signal SIGTERM" in printed


@pytest.mark.usefixtures("clinic")
@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("chmod 700 /run/x", "chmod 700 /run/x"),
        ("brokerctl logs", "brokerctl start"),
        (None, "brokerctl start"),
    ],
)
def test_logs_say_why_the_last_broker_did_not_start(
    hint: str | None, told: str, brokerctl: Brokerctl, socket: Path
) -> None:
    """A broker whose start ended by a defect names `brokerctl logs`, which must not lead back."""
    socket.parent.mkdir(mode=0o700)
    why_not = WhyNot()
    why_not.tell(Topic.START, "the socket has no place", at=SystemClock().now().wall, hint=hint)
    WhyNotFile(socket).write(why_not.reasons)

    said = "token-broker is not running: brokerd ended just now: the socket has no place"
    assert brokerctl("logs") == Ended(3, "", f"{said}; run: {told}\n")


@pytest.mark.usefixtures("clinic")
def test_what_is_remembered_is_followed_into_the_next_daemon(broker: StandInBroker) -> None:
    """Lines 1 and 2, then a third, then another daemon whose first line it is."""
    answers = iter([(["one", "two"], 2), (["three"], 3), ([], 1), (["begun anew"], 1)])

    def answer(_: dict[str, str]) -> tuple[int, object]:
        lines, last = next(answers, ([], 1))
        return 200, {"lines": lines, "last": last}

    broker.answers["GET /v1/logs"] = answer
    with subprocess.Popen([BROKERCTL, "logs", "-f"], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        printed = [following.stdout.readline() for _ in range(4)]
        following.terminate()

    assert printed == ["one\n", "two\n", "three\n", "begun anew\n"]
    assert [query.get("after") for query in broker.queries[:4]] == [None, "2", "3", None]


def test_log_of_the_service_is_the_journals(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.systemd(monkeypatch, **UNITS)
    clinic.program("journalctl", 'echo "$@"')

    code, printed, _ = logs("--lines", "7", "--follow")

    assert code == 0
    assert printed == "--no-pager --user-unit token-broker.service --lines 7 --follow\n"


def test_where_the_journal_cannot_be_read_the_broker_remembers(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, broker: StandInBroker
) -> None:
    broker.answers["GET /v1/logs"] = 200, {"lines": ["one"], "last": 1}
    clinic.systemd(monkeypatch, **UNITS)
    clinic.program("journalctl", "echo 'No journal files were opened' >&2; exit 1")

    code, printed, said = logs()

    assert (code, printed) == (0, "one\n")
    assert "usermod -aG systemd-journal" in said


def test_zero_lines_make_no_sense(brokerctl: Brokerctl) -> None:
    assert brokerctl("logs", "-n", "0").exit_code == 2


def test_more_lines_than_the_tools_can_count_are_all_lines(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.systemd(monkeypatch, **UNITS)
    clinic.program("journalctl", 'echo "$@"')

    _, printed, _ = logs("--lines", "99999999999999999999")

    assert "--lines 1000000000\n" in printed
