import contextlib
import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.server.listen import LOCK_NAME, SUN_PATH_BYTES_MAX, Listener, NotListening, Taken, take
from tests.host.users import STRANGER, run_as, two_users
from tests.typed_line import type_line

TAKE = """
import pathlib, sys
from broker.server.listen import Taken, take
sys.stdin.readline()
try:
    listener = take(pathlib.Path(sys.argv[1]))
    print("serves", flush=True)
except Taken as taken:
    print("taken", taken.pid, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(place: Path) -> Path:
    return place / "token-broker" / "broker.sock"


@contextlib.contextmanager
def taken(path: Path) -> Iterator[Listener]:
    listener = take(path)
    try:
        yield listener
    finally:
        listener.close()


@contextlib.contextmanager
def taking(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that takes the path when it is told so, and holds it until told again."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def refusal(path: Path) -> NotListening:
    with pytest.raises(NotListening) as caught:
        take(path, named_by=None)  # in the folder that a broker makes itself
    return caught.value


def repaired(failure: NotListening, path: Path) -> None:
    """Type the hint; afterwards the path can be taken."""
    assert type_line(failure.hint).returncode == 0
    with taken(path):
        connect(path)


def test_a_taken_path_can_be_reached_by_us_alone(path: Path) -> None:
    with taken(path) as listener:
        connect(path)

        assert (listener.path, listener.is_still_ours()) == (path, True)
        assert (mode(path), mode(path.parent), mode(path.parent / LOCK_NAME)) == (0o600, 0o700, 0o600)


def test_missing_parents_are_made_for_us_alone(place: Path) -> None:
    with taken(place / "cache" / "token-broker" / "machine" / "broker.sock"):
        assert {mode(place / "cache"), mode(place / "cache" / "token-broker")} == {0o700}


def test_the_mode_is_right_at_every_moment(place: Path) -> None:
    seen: set[tuple[int, int]] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for name in (".", "broker.sock", "broker.soc~", LOCK_NAME):
                with contextlib.suppress(FileNotFoundError):
                    found = os.lstat(place / "watched" / name)
                    seen.add((stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode)))

    watcher = threading.Thread(target=watch)
    umask = os.umask(0)
    watcher.start()
    try:
        # 300 lives, and on a busy machine as many more as it takes the watcher to have met each file
        for life in range(30_000):
            if life >= 300 and len({kind for kind, _ in seen}) == 3:
                break
            with taken(place / "watched" / "broker.sock"):
                pass
            (place / "watched" / LOCK_NAME).unlink()
            (place / "watched").rmdir()
    finally:
        os.umask(umask)
        done.set()
        watcher.join()

    assert seen == {(stat.S_IFDIR, 0o700), (stat.S_IFSOCK, 0o600), (stat.S_IFREG, 0o600)}


def test_of_twenty_that_start_together_one_serves_and_the_others_know_which(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(taking(path)) for _ in range(20)]

        for process in processes:
            tell(process)

        words = {process.pid: said(process) for process in processes}
        serving = [pid for pid, word in words.items() if word == "serves"]
        assert len(serving) == 1
        # who looks before the winner has written its pid knows only that there is one
        assert set(words.values()) - {"serves"} <= {f"taken {serving[0]}", "taken None"}
        connect(path)


def test_a_second_start_names_the_process_that_serves(path: Path) -> None:
    with taking(path) as process:
        tell(process)
        assert said(process) == "serves"

        with pytest.raises(Taken) as caught:
            take(path)

    assert (caught.value.pid, caught.value.path) == (process.pid, path)
    assert caught.value.detail == f"process {process.pid} already serves {path}"


def test_of_two_names_in_one_folder_the_second_is_told_of_the_folder(path: Path) -> None:
    with taking(path) as process:
        tell(process)
        assert said(process) == "serves"

        with pytest.raises(Taken) as caught:
            take(path.with_name("other.sock"))

    assert caught.value.pid == process.pid
    assert caught.value.detail == (
        f"process {process.pid} has the folder {path.parent}: a broker wants a folder of its own"
    )


def test_a_killed_daemons_socket_is_taken_over(path: Path) -> None:
    with taking(path) as process:
        tell(process)
        assert said(process) == "serves"
        process.kill()
        process.wait()

    with taken(path):
        connect(path)


def test_a_predecessor_killed_between_bind_and_rename_is_no_obstacle(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path.with_name("broker.soc~")))

    with taken(path):
        connect(path)
        assert {p.name for p in path.parent.iterdir()} == {"broker.sock", LOCK_NAME}


def test_a_path_that_accepts_connections_is_taken_without_a_lock_too(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        with pytest.raises(Taken) as caught:
            take(path)

        connect(path)
    assert caught.value.pid == os.getpid()


def test_a_server_too_busy_to_accept_still_serves(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(socket.socket(socket.AF_UNIX))
        other.bind(str(path))
        other.listen(0)
        with pytest.raises(BlockingIOError):  # noqa: PT012 - the backlog is full when it says so
            while True:
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(0)
                client.connect(str(path))

        with pytest.raises(Taken) as caught:
            take(path)

    assert caught.value.pid is None


def test_a_held_lock_is_enough_and_names_its_holder(path: Path) -> None:
    with taking(path) as process:
        tell(process)
        assert said(process) == "serves"
        path.unlink()

        with pytest.raises(Taken) as caught:
            take(path)

    assert caught.value.pid == process.pid


def test_a_closed_listener_leaves_room_for_the_next(path: Path) -> None:
    with taken(path) as first:
        first.close()
        assert not path.exists()

        with taken(path):
            connect(path)


def test_closing_leaves_a_socket_that_is_not_ours(path: Path) -> None:
    with taken(path) as listener, socket.socket(socket.AF_UNIX) as thief:
        path.unlink()
        thief.bind(str(path))

        assert not listener.is_still_ours()
        listener.close()

    assert path.is_socket()


def test_a_removed_socket_is_no_longer_ours(path: Path) -> None:
    with taken(path) as listener:
        path.unlink()

        assert not listener.is_still_ours()


def test_the_shims_start_lock_is_left_alone(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    start = path.with_name("start.lock")
    start.write_text("the shim's")

    with taken(path):
        pass

    assert start.read_text() == "the shim's"


def test_the_longest_path_serves(place: Path) -> None:
    room = SUN_PATH_BYTES_MAX - len(os.fsencode(place)) - len("//broker.sock")

    with taken(place / ("d" * room) / "broker.sock") as listener:
        assert len(os.fsencode(listener.path)) == SUN_PATH_BYTES_MAX
        connect(listener.path)


def test_a_longer_path_is_refused_before_anything_is_made(place: Path) -> None:
    failure = refusal(place / ("d" * SUN_PATH_BYTES_MAX) / "broker.sock")

    assert str(SUN_PATH_BYTES_MAX) in failure.detail
    assert "TOKEN_BROKER_SOCKET" in (failure.hint or "")
    assert list(place.iterdir()) == []


def test_an_open_directory_is_refused_and_the_hint_repairs_it(path: Path) -> None:
    for open_mode in (0o701, 0o710, 0o740, 0o755, 0o777):
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(open_mode)

        failure = refusal(path)

        assert failure.hint == f"chmod 700 {path.parent}"
        repaired(failure, path)
        with taken(path):
            connect(path)


def test_a_symbolic_link_for_a_directory_is_refused(path: Path, place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    path.parent.symlink_to(elsewhere)

    failure = refusal(path)

    assert "symbolic link" in failure.detail
    assert failure.hint == f"rm {path.parent}"
    repaired(failure, path)
    assert list(elsewhere.iterdir()) == []


def test_a_file_for_a_directory_is_refused(path: Path) -> None:
    path.parent.write_text("squatted")

    failure = refusal(path)

    assert "is not a directory" in failure.detail
    assert path.parent.read_text() == "squatted"
    repaired(failure, path)
    assert Path(f"{path.parent}.not-mine").read_text() == "squatted"


@two_users
def test_a_directory_of_another_user_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.chown(path.parent, STRANGER, STRANGER)

    failure = refusal(path)

    assert f"another user (uid {STRANGER})" in failure.detail
    assert list(path.parent.iterdir()) == []
    assert failure.hint == f"sudo mv {path.parent} {path.parent}.not-mine"
    failure.hint = failure.hint.removeprefix("sudo ")  # who runs this test is root
    repaired(failure, path)


def test_a_symbolic_link_for_a_lock_is_refused_and_its_target_kept(path: Path, place: Path) -> None:
    path.parent.mkdir(mode=0o700)
    precious = place / "precious"
    precious.write_text("kept")
    (path.parent / LOCK_NAME).symlink_to(precious)

    failure = refusal(path)

    assert "symbolic link" in failure.detail
    assert precious.read_text() == "kept"


def test_a_hard_link_for_a_lock_is_refused_and_its_target_kept(path: Path, place: Path) -> None:
    path.parent.mkdir(mode=0o700)
    precious = place / "precious"
    precious.write_text("kept")
    os.link(precious, path.parent / LOCK_NAME)

    refusal(path)

    assert precious.read_text() == "kept"


def test_a_pipe_for_a_lock_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path.parent / LOCK_NAME)

    failure = refusal(path)

    assert failure.hint == f"rm -f {path.parent / LOCK_NAME}"
    repaired(failure, path)


def test_a_folder_for_a_lock_is_refused(path: Path) -> None:
    (path.parent / LOCK_NAME / "within").mkdir(parents=True)
    path.parent.chmod(0o700)

    failure = refusal(path)

    assert failure.hint == f"mv {path.parent / LOCK_NAME} {path.parent / LOCK_NAME}.not-mine"
    repaired(failure, path)


def test_a_symbolic_link_for_a_socket_is_refused(path: Path, place: Path) -> None:
    with taken(place / "elsewhere" / "broker.sock") as other:
        path.parent.mkdir(mode=0o700)
        path.symlink_to(other.path)

        failure = refusal(path)

    assert failure.hint == f"rm {path}"
    repaired(failure, path)


def test_a_file_for_a_socket_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("kept")

    failure = refusal(path)

    assert "not a socket of ours" in failure.detail
    assert path.read_text() == "kept"


def test_a_refusal_leaves_no_lock_behind(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("in the way")
    refusal(path)
    path.unlink()

    with taken(path):
        connect(path)


@two_users
def test_another_user_does_not_get_in(path: Path) -> None:
    program = """
import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except OSError as error:
    print(type(error).__name__)
"""
    with taken(path):
        by_directory = run_as(STRANGER, program, str(path))
        path.parent.chmod(0o755)
        by_socket = run_as(STRANGER, program, str(path))

    assert (by_directory, by_socket) == ("PermissionError", "PermissionError")


WITHOUT_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"


def test_a_disk_that_takes_no_byte_keeps_no_broker_from_serving(path: Path) -> None:
    program = WITHOUT_FILES + TAKE + "listener.close()\n"
    ended = subprocess.run(
        [sys.executable, "-c", program, path], input="go\nend\n", capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "serves\n", "")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_a_broker_that_serves_keeps_the_second_one_away(
    number: int, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_lock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", no_lock)

    with taken(path), pytest.raises(Taken) as caught:
        take(path)

    assert caught.value.pid == os.getpid()
    assert f"no_lock path={path.with_name(LOCK_NAME)}" in caplog.text


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("act", ["directory", "lock", "socket"])
def test_no_room_for_a_new_file_is_a_line_that_shows_where(
    act: str, number: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullSocket(socket.socket):
        def bind(self, _: object) -> None:
            raise OSError(number, os.strerror(number))

    open_file, make_folder = os.open, Path.mkdir

    def opened(name: str, flags: int, *more: int, **named: Any) -> int:  # noqa: ANN401 - os.open's own
        if act == "lock" and name == LOCK_NAME:
            raise OSError(number, os.strerror(number))
        return open_file(name, flags, *more, **named)

    def made(folder: Path, *more: object, **named: object) -> None:
        if act == "directory" and folder == path.parent:
            raise OSError(number, os.strerror(number))
        make_folder(folder, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(Path, "mkdir", made)
    if act == "socket":
        monkeypatch.setattr(socket, "socket", FullSocket)

    failure = refusal(path)

    assert os.strerror(number).lower() in failure.detail
    assert failure.hint == f"df -h {path.parent if act != 'directory' else path.parent.parent}"
    monkeypatch.undo()
    assert "%" in type_line(failure.hint).stdout
