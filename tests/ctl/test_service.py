from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from socketserver import BaseRequestHandler, UnixStreamServer
from typing import TYPE_CHECKING

import pytest

from broker.server.listen import LOCK_NAME
from tests.ctl.conftest import Ended
from tests.ctl.found_feeds import broker as seen
from tests.ctl.stand_in import StandInBroker, problem
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Brokerctl = Callable[..., Ended]

BROKERCTL = Path(sys.executable).parent / "brokerctl"
PATIENCE_S = 60


def installed(*words: str) -> Ended:
    """Run the installed command, as `start` must be: what it starts outlives it."""
    done = subprocess.run(
        [BROKERCTL, *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def stopped_afterwards() -> Iterator[None]:
    """No broker outlives the test that started it."""
    yield
    installed("stop")


@pytest.mark.usefixtures("stopped_afterwards")
def test_broker_starts_answers_and_stops(socket: Path) -> None:
    started, short, again = installed("start"), installed("status", "--short"), installed("start")
    stopped, status = installed("stop"), installed("status")

    assert (started.exit_code, started.stderr) == (0, "")
    assert short.stdout == "feeds 0/0\n"
    assert "is running already (process" in again.stdout
    assert stopped.stdout == "token-broker is stopped\n"
    assert status.exit_code == 3
    assert not socket.exists()


@pytest.mark.usefixtures("stopped_afterwards")
@pytest.mark.long
def test_restart_is_another_process() -> None:
    first, second = installed("start").stdout, installed("restart").stdout

    assert first.startswith("token-broker is running (process ")
    assert second.startswith("token-broker is running (process ")
    assert first != second


@pytest.mark.usefixtures("stopped_afterwards")
@pytest.mark.long
def test_broker_that_does_not_run_is_started_by_restart() -> None:
    assert installed("restart").exit_code == 0


@pytest.mark.usefixtures("stopped_afterwards")
def test_restart_refuses_to_go_down_into_a_refused_configuration(
    socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("TOKEN_BROKER_CONFIG", str(config))
    installed("start")
    before = json.loads(installed("status", "--json").stdout)["pid"]
    config.touch(mode=0o600)
    config.write_text("[[feed]]\nname = 'corp'\n")

    refused, status = installed("restart"), installed("status", "--json")
    installed("restart", "--force")
    after = json.loads(installed("status", "--json").stdout)["pid"]

    assert socket.parent.is_dir()
    assert refused.exit_code == 1
    assert "line 1: a feed needs a url, written in quotes (not restarted: --force" in refused.stderr
    assert (json.loads(status.stdout)["pid"], status.exit_code) == (before, 1)
    assert after != before


@pytest.mark.usefixtures("stopped_afterwards")
def test_log_of_a_detached_broker_is_its_owners_alone(socket: Path) -> None:
    installed("start")

    assert stat.S_IMODE((socket.parent / "brokerd.log").stat().st_mode) == 0o600


def test_stopping_what_does_not_run_is_fine(brokerctl: Brokerctl) -> None:
    ended = brokerctl("stop")

    assert (ended.exit_code, ended.stdout) == (0, "token-broker was not running\n")


def test_broker_that_cannot_start_says_why(socket: Path) -> None:
    socket.parent.mkdir(mode=0o700)
    (socket.parent / "broker.lock").mkdir()

    ended = installed("start")

    assert ended.exit_code == 1
    assert ended.stderr.startswith("token-broker: brokerd did not start: ")
    assert ended.stderr.count("\n") == 1


def test_place_that_others_can_enter_is_refused_with_its_repair(brokerctl: Brokerctl, socket: Path) -> None:
    socket.parent.mkdir(mode=0o755)

    ended = brokerctl("start")

    assert ended.exit_code == 1
    assert ended.stderr.endswith(f"run: chmod 700 {socket.parent}\n")


def program(path: Path, text: str) -> Path:
    """A shell script, whose `kill -INT $PPID` is a Ctrl-C for the installed brokerctl that runs it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_interrupted_start_says_that_the_broker_goes_on_and_where_its_log_is(
    socket: Path, tmp_path: Path
) -> None:
    program(tmp_path / "brokerd", "kill -INT $PPID")
    command = shutil.copy(BROKERCTL, tmp_path)

    ended = subprocess.run([command, "start"], capture_output=True, text=True, check=False, timeout=60)

    log = f"{socket.parent}/brokerd.log"
    said = f"interrupted: the broker goes on starting, with its log in {log}; run: brokerctl status"
    assert (ended.returncode, ended.stderr) == (130, f"token-broker: {said}\n")


def test_an_interrupted_stop_says_that_the_broker_ends(broker: StandInBroker, tmp_path: Path) -> None:
    script = program(tmp_path / "x" / "brokerd", "trap 'echo told' TERM; echo; while :; do read _; done")
    with subprocess.Popen([script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as brokerd:
        assert brokerd.stdout is not None
        brokerd.stdout.readline()
        broker.answers |= {"GET /v1/health": (200, {}), "GET /v1/status": (200, seen(pid=brokerd.pid))}
        with subprocess.Popen([BROKERCTL, "stop"], stderr=subprocess.PIPE, text=True) as stopping:
            assert brokerd.stdout.readline() == b"told\n"
            stopping.send_signal(signal.SIGINT)
            stderr = stopping.communicate(timeout=PATIENCE_S)[1]
        brokerd.kill()

    said = f"interrupted: process {brokerd.pid} finishes what is under way, and ends; run: brokerctl status"
    assert (stopping.returncode, stderr) == (130, f"token-broker: {said}\n")


def test_a_broker_that_gives_no_answer_is_stopped_by_the_process_id_in_its_lock(
    brokerctl: Brokerctl, socket: Path, tmp_path: Path
) -> None:
    """One that hangs is like one that hangs up, but for the ten seconds that brokerctl waits."""
    socket.parent.mkdir(mode=0o700)
    script = program(tmp_path / "x" / "brokerd", "echo; read _")
    with (
        UnixStreamServer(str(socket), BaseRequestHandler) as silent,
        subprocess.Popen([script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as brokerd,
    ):
        socket.chmod(0o600)
        thread = threading.Thread(target=silent.serve_forever, args=(0.01,))
        thread.start()
        assert brokerd.stdout is not None
        brokerd.stdout.readline()
        (socket.parent / LOCK_NAME).write_text(f"{brokerd.pid}\n")
        stopped = brokerctl("stop")
        silent.shutdown()
        thread.join()

    assert stopped == Ended(0, "token-broker is stopped\n", "")
    assert brokerd.returncode == -signal.SIGTERM


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_what_systemd_was_asked_for_goes_on_after_an_interrupt(
    verb: str, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{room}/systemd:{os.environ['PATH']}")
    program(room / "systemd" / "systemctl", 'case "$2" in show) echo loaded;; *) kill -INT $PPID;; esac')

    ended = installed(verb)

    assert ended.exit_code == 130
    assert ended.stderr == (
        "token-broker: interrupted: systemd goes on with what it was asked for;"
        " run: systemctl --user status token-broker.service\n"
    )


def test_only_a_brokerd_is_ever_signalled(brokerctl: Brokerctl, broker: StandInBroker) -> None:
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    broker.answers |= {
        "GET /v1/health": (200, {}),
        "GET /v1/status": (200, seen(pid=bystander.pid)),
    }

    ended = brokerctl("stop")

    assert ended.exit_code == 1
    assert "is not a brokerd in this PID namespace" in ended.stderr
    assert bystander.poll() is None
    bystander.communicate(b"")
    assert bystander.returncode == 0


class Systemctl:
    """A systemctl that knows our units, and does nothing but take notes; one of its verbs may fail."""

    def __init__(self, directory: Path, *, fails: str = "") -> None:
        directory.mkdir()
        self._notes = directory / "notes"
        program = directory / "systemctl"
        program.write_text(
            "#!/bin/sh\n"
            f'echo "$*" >>{self._notes}\n'
            f'case "$2" in show) echo loaded;; "{fails}") echo "Unit is masked." >&2; exit 1;; esac\n'
        )
        program.chmod(0o755)

    @property
    def told(self) -> list[str]:
        """What it was told to do, without the questions."""
        return [line for line in self._notes.read_text().splitlines() if " show " not in line]


@pytest.fixture
def systemctl(room: Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    """The user's service manager has our units."""
    monkeypatch.setenv("PATH", f"{room}/systemd:{os.environ['PATH']}")
    return Systemctl(room / "systemd")


def serving(broker: StandInBroker) -> None:
    broker.answers |= {"GET /v1/health": (200, {}), "GET /v1/status": (200, seen())}


def test_start_goes_by_the_service_manager_and_clears_what_failed(
    brokerctl: Brokerctl, broker: StandInBroker, systemctl: Systemctl
) -> None:
    serving(broker)

    ended = brokerctl("start")

    assert ended.stdout == "token-broker is running (process 4242)\n"
    assert systemctl.told == [
        "--user reset-failed token-broker.socket token-broker.service",
        "--user start token-broker.socket",
    ]


def test_restart_by_the_service_manager_leaves_the_socket_alone(
    brokerctl: Brokerctl, broker: StandInBroker, systemctl: Systemctl
) -> None:
    serving(broker)

    brokerctl("restart")

    assert systemctl.told[-1] == "--user restart token-broker.service"
    assert not any("stop" in words for words in systemctl.told)


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_socket_whose_file_is_gone_is_made_anew_by_the_service_manager(
    brokerctl: Brokerctl,
    broker: StandInBroker,
    systemctl: Systemctl,
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serving(broker)
    monkeypatch.setattr(Path, "is_socket", lambda _: False)

    brokerctl(verb)

    assert "--user restart token-broker.socket" in systemctl.told


def test_stop_by_the_service_manager_stops_socket_and_service(
    brokerctl: Brokerctl, systemctl: Systemctl
) -> None:
    ended = brokerctl("stop")

    assert ended.stdout == "token-broker is stopped\n"
    assert systemctl.told == ["--user stop token-broker.socket token-broker.service"]


def test_service_manager_that_fails_is_quoted(
    brokerctl: Brokerctl, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{room}/systemd:{os.environ['PATH']}")
    Systemctl(room / "systemd", fails="restart")

    ended = brokerctl("start")

    assert ended.exit_code == 1
    assert (
        ended.stderr == "token-broker: Unit is masked.; run: systemctl --user status token-broker.service\n"
    )


@pytest.mark.usefixtures("systemctl")
def test_status_of_a_stopped_unit_says_how_to_start_it(brokerctl: Brokerctl) -> None:
    ended = brokerctl("status")

    assert ended.exit_code == 3
    assert ended.stderr == "token-broker is not running; run: brokerctl start\n"


def test_killed_broker_leaves_nothing_that_stops_the_next(stopped_afterwards: None, socket: Path) -> None:  # noqa: ARG001
    started = installed("start")
    pid = int(started.stdout.rpartition(" ")[2].rstrip(")\n"))
    assert type_line(f"kill -9 {pid}").returncode == 0

    again = installed("restart")

    assert again.exit_code == 0, again.stderr
    assert socket.exists()


def test_restart_does_not_go_down_into_a_broken_configuration(
    broker: StandInBroker, brokerctl: Brokerctl
) -> None:
    broker.answers["POST /v1/reload"] = problem(
        422, "bad-configuration", "config.toml, line 3: unknown key tll"
    )

    ended = brokerctl("restart")

    assert ended.exit_code == 1
    assert "config.toml, line 3: unknown key tll" in ended.stderr
    assert broker.asked == ["POST /v1/reload"]
