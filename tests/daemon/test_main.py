"""What brokerd says before it serves anybody."""

import errno
import os
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.why_not import Topic, WhyNot
from broker.daemon.main import main
from broker.host.clock import SystemClock
from broker.host.why_not_file import WhyNotFile, state_folder
from tests.e2e.patience import until


def test_the_system_broker_without_systemds_socket_says_how_to_start_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    monkeypatch.setattr("broker.daemon.main.hardening.close_to_others", lambda: None)

    assert main(["--system"]) == 1
    assert capsys.readouterr().err == (
        "brokerd: the system broker takes its socket from systemd; "
        "run: sudo systemctl start token-broker.socket\n"
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


@pytest.mark.parametrize(
    ("shortage", "told"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "as many files open as it may (ulimit -n)"),
        (RuntimeError("can't start new thread"), "may start no more processes (ulimit -u, TasksMax)"),
        (MemoryError(), "no memory left"),
    ],
    ids=["descriptors", "threads", "memory"],
)
def test_a_start_that_the_machine_is_too_small_for_is_no_defect(
    shortage: Exception,
    told: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise shortage

    monkeypatch.setattr("broker.daemon.main._place", refused)

    assert main([]) == 1

    (reason,) = record(home).read()
    assert capsys.readouterr().err == f"brokerd: {reason.detail}\n"
    assert reason.detail.startswith("this machine refused it: ")
    assert told in reason.detail


@pytest.mark.parametrize("descriptors", [5, 9])
def test_a_daemon_that_may_open_next_to_nothing_ends_with_one_line(descriptors: int, place: Path) -> None:
    def scarce() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    command = [sys.executable, "-m", "broker.daemon", "--socket", f"{place}/own/b.sock", "--idle-exit", "1s"]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, preexec_fn=scarce
    )

    said = "brokerd: this machine refused it: the broker has as many files open as it may (ulimit -n)\n"
    assert (ended.returncode, ended.stderr) == (1, said)


def test_a_start_whose_socket_cannot_be_named_leaves_its_reason(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_BROKER_SOCKET", f"/{'x' * 200}/broker.sock")

    assert main([]) == 1

    (reason,) = WhyNotFile(None, state_folder({}, home)).read()
    assert (reason.topic, reason.subject) == (Topic.START, "")
    assert reason.detail.startswith("the socket's path is longer than")
    assert record(home).read() == ()


def test_a_daemon_whose_stderr_is_closed_serves_all_the_same(home: Path) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m broker.daemon --idle-exit 1s 2>&-"

    ended = subprocess.run(["sh", "-c", command], timeout=60, check=False)

    assert ended.returncode == 0
    assert record(home).read() == ()


BLOCKED = """
import os, signal
from broker.daemon import main
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
main._end_by_signals()
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_daemon_that_was_started_with_signals_blocked_ends_by_one() -> None:
    ended = subprocess.run([sys.executable, "-c", f"{BLOCKED}os._exit(9)"], timeout=60, check=False)

    assert ended.returncode == 0


@pytest.fixture
def full_disk(home: Path) -> Iterator[Path]:
    """The runtime folder, on a file system of its own that takes no byte."""
    folder = home / "token-broker"
    folder.mkdir(mode=0o700)
    size = ["-t", "tmpfs", "-o", "size=4k,mode=0700", "tmpfs"]
    mounted = os.geteuid() == 0 and subprocess.run(["mount", *size, folder], check=False).returncode == 0
    if not mounted:
        pytest.skip("only root, with CAP_SYS_ADMIN, can mount a file system")
    try:
        with (folder / "filling").open("wb", buffering=0) as filling:
            filled = filling.write(bytes(8192))
        assert filled == 4096
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_on_a_full_runtime_disk_the_record_goes_to_the_state_folder(full_disk: Path, home: Path) -> None:
    why_not = WhyNot()
    why_not.tell(Topic.START, "the disk is full", at=SystemClock().now().wall)

    assert record(home).write(why_not.reasons)

    assert record(home).read() == why_not.reasons
    assert not (full_disk / "why-not.json").exists()


def test_a_daemon_on_a_full_runtime_disk_serves_or_says_a_line(full_disk: Path, home: Path) -> None:
    command = [sys.executable, "-m", "broker.daemon", "--idle-exit", "1s"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert "Traceback" not in ended.stderr
    if ended.returncode == 1:
        assert ended.stderr.splitlines()[-1].startswith(f"brokerd: {full_disk}")
        assert [each.topic for each in record(home).read()] == [Topic.START]


SIGNALLED = """
import os, sys
from signal import SIGHUP, SIGTERM, SIGUSR1

class Signalling:
    def find_spec(self, name, *_):
        if name == "broker.daemon.composition":
            assert os.path.exists(sys.argv[2])
            for number in (SIGHUP, SIGUSR1, SIGTERM):
                os.kill(os.getpid(), number)

sys.meta_path.insert(0, Signalling())
from broker.daemon.main import main
sys.exit(main())
"""


def test_a_signal_that_comes_while_the_daemon_loads_ends_it_without_a_trace(place: Path) -> None:
    place.chmod(0o700)
    socket = place / "broker.sock"

    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED, "--socket", socket], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not socket.exists()


def test_a_crash_in_native_code_is_told_with_its_place(place: Path) -> None:
    place.chmod(0o700)
    command = [sys.executable, "-m", "broker.daemon", "--socket", str(place / "s")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        until((place / "s").exists, "the socket")
        daemon.send_signal(signal.SIGSEGV)
        _, told = daemon.communicate(timeout=60)

    assert daemon.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in told
    assert "broker/daemon/main.py" in told
