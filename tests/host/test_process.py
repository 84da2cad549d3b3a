import asyncio
import errno
import os
import resource
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.host import process
from broker.host.child_process import _Stream
from broker.host.process import CHILDREN_MAX, run
from broker.host.process_tree import VARIABLE
from broker.host.program_search import executable, search
from broker.host.run_failure import CannotRun, NoResources, NotFound, TimedOut, TooMuchOutput
from tests.processes import in_proc
from tests.providers.programs import BROKEN

FOREVER = 3600
LIMIT_S = 60.0
"""Never reached in these tests, but by a hang."""


def living(word: str) -> list[int]:
    """The processes that have the word in their command line, zombies excepted: theirs is empty."""
    return [pid for pid, words in in_proc("cmdline") if word.encode() in words]


def zombies() -> list[int]:
    """Our children that have ended and that nobody has asked how."""
    states = {pid: stat.rpartition(b")")[2].split()[:2] for pid, stat in in_proc("stat")}
    return [pid for pid, state in states.items() if state == [b"Z", str(os.getpid()).encode()]]


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


async def all_gone(word: str) -> None:
    """Return when no such process lives: a killed one takes a moment."""
    async with asyncio.timeout(60):
        while living(word):
            await turn()


async def all_of(count: int, word: str) -> set[int]:
    """The processes of this word once they are so many: between two programs one has no command line."""
    async with asyncio.timeout(60):
        while len(found := set(living(word))) != count:
            await turn()
    return found


async def turn() -> None:
    """Let the loop turn once."""
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future


class Started:
    """A pipe with a name, through which a child says that it has come so far."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "started"
        os.mkfifo(self.path)

    async def wait(self) -> None:
        await asyncio.to_thread(self.path.read_bytes)


@pytest.fixture
def started(tmp_path: Path) -> Started:
    return Started(tmp_path)


@pytest.fixture
def word() -> str:
    """A number of seconds that no other process sleeps."""
    return f"{FOREVER}.{secrets.randbelow(10**12):012}"


async def test_a_child_that_ends_tells_its_code_and_its_output() -> None:
    finished = await run(["sh", "-c", "echo out; echo err >&2; exit 3"], limit_s=LIMIT_S)

    assert (finished.code, finished.stdout, finished.stderr) == (3, b"out\n", b"err\n")


async def test_a_child_that_died_of_a_signal_has_its_negative_for_a_code() -> None:
    finished = await run(["sh", "-c", "kill -TERM $$"], limit_s=LIMIT_S)

    assert finished.code == -signal.SIGTERM


async def test_output_does_not_print() -> None:
    finished = await run(["echo", "TBKTEST-secret"], limit_s=LIMIT_S)

    assert finished.stdout == b"TBKTEST-secret\n"
    assert "TBKTEST" not in repr(finished)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
async def test_a_child_does_not_have_our_stdin() -> None:
    ours = os.dup(0)
    read, write = os.pipe()
    os.dup2(read, 0)
    try:
        finished = await run(["readlink", "/proc/self/fd/0"], limit_s=LIMIT_S)
    finally:
        os.dup2(ours, 0)
        for descriptor in (ours, read, write):
            os.close(descriptor)

    assert finished.stdout == b"/dev/null\n"


async def test_what_is_in_a_pipe_is_read_though_somebody_holds_it_open() -> None:
    read, write = os.pipe()
    os.write(write, b"said")
    stream = _Stream(os.fdopen(read, "rb", 0), 1000)

    stream.drain()

    assert bytes(stream.content) == b"said"
    stream.close()
    os.close(write)


async def test_a_child_has_a_session_of_its_own_and_starts_at_the_root() -> None:
    program = "import os; print(os.getsid(0) == os.getpid(), os.getcwd())"

    finished = await run([sys.executable, "-c", program], limit_s=LIMIT_S)

    assert finished.stdout == b"True /\n"


async def test_a_child_gets_the_given_environment_and_a_mark() -> None:
    finished = await run(["env"], env={"PATH": os.defpath, "GIVEN": "1"}, limit_s=LIMIT_S)

    names = {line.partition(b"=")[0].decode() for line in finished.stdout.splitlines()}
    assert names == {"PATH", "GIVEN", VARIABLE}


async def test_large_output_below_the_limit_comes_back_whole() -> None:
    finished = await run(["head", "-c", "1000000", "/dev/zero"], limit_s=LIMIT_S, output_bytes=1_000_000)

    assert len(finished.stdout) == 1_000_000


@pytest.mark.parametrize("redirection", ["", ">&2"])
async def test_too_much_output_ends_the_child(redirection: str, word: str) -> None:
    with pytest.raises(TooMuchOutput, match="sh wrote more than it may"):
        await run(["sh", "-c", f"sleep {word} & yes {redirection}"], limit_s=LIMIT_S)

    await all_gone(word)


async def test_a_byte_too_many_at_the_very_end_is_too_much() -> None:
    with pytest.raises(TooMuchOutput):
        await run(["printf", "12345"], limit_s=LIMIT_S, output_bytes=4)


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program"])
async def test_a_program_that_is_not_there_is_named(program: str) -> None:
    with pytest.raises(NotFound) as caught:
        await run([program], limit_s=LIMIT_S)

    assert caught.value.program == program
    assert search(program, os.defpath) is None


CANNOT_RUN = {name: row for name, row in BROKEN.items() if "exit code" not in row[1]}


@pytest.mark.parametrize(("make", "reason"), CANNOT_RUN.values(), ids=CANNOT_RUN)
async def test_a_program_that_is_there_and_cannot_be_run_says_what_stands_against_it(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / "script")

    with pytest.raises(CannotRun, match=reason) as caught:
        await run(["script"], env={"PATH": str(tmp_path)}, limit_s=LIMIT_S)

    assert caught.value.reason.isprintable()
    assert search("script", str(tmp_path)) is not None


async def test_a_folder_is_a_program_only_where_its_path_was_written(tmp_path: Path) -> None:
    (tmp_path / "az").mkdir()

    with pytest.raises(NotFound):
        await run(["az"], env={"PATH": str(tmp_path)}, limit_s=LIMIT_S)
    with pytest.raises(CannotRun, match="az is a folder"):
        await run([str(tmp_path / "az")], limit_s=LIMIT_S)


NOEXEC = """
mount -t tmpfs -o noexec none "$1" && printf '#!/bin/sh\n' > "$1/az" && chmod 755 "$1/az" || exit 77
exec "$2" -c "from broker.host.start_failure import why_not_run as why; print(why('$1/az'))"
"""


def test_a_file_system_that_runs_nothing_is_named(tmp_path: Path) -> None:
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", NOEXEC, "sh", str(tmp_path)]
    try:
        done = subprocess.run([*command, sys.executable], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode in {1, 77}:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")

    assert done.stdout == f"{tmp_path}/az lies on a file system that is mounted noexec\n", done.stderr


async def test_arguments_that_no_program_can_have_are_no_defect() -> None:
    with pytest.raises(CannotRun, match="too long"):
        await run(["true", *["x" * 100_000] * 100], limit_s=LIMIT_S)
    with pytest.raises(CannotRun, match="null byte"):
        await run(["true", "a\0b"], limit_s=LIMIT_S)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EAGAIN, "may start no more processes"),
        (errno.ENOMEM, "no memory left"),
        (errno.EMFILE, "as many files open as it may"),
        (errno.ENFILE, "as many files open as it can"),
    ],
)
async def test_a_shortage_at_the_start_is_not_taken_for_a_missing_program(
    number: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("subprocess.Popen", failing)

    with pytest.raises(NoResources, match=reason):
        await run(["true"], limit_s=LIMIT_S)


async def test_without_a_free_descriptor_the_program_is_not_missing() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    await run(["true"], limit_s=LIMIT_S)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(open_descriptors()), before[1]))
    try:
        with pytest.raises(NoResources, match="files open"):
            await run(["true"], limit_s=LIMIT_S)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_child_that_no_thread_can_wait_for_is_ended_and_told_as_a_shortage(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.setattr("threading.Thread.start", failing)
    before, others = open_descriptors(), set(zombies())

    with pytest.raises(NoResources, match="may start no more processes"):
        await run(["sleep", word], limit_s=LIMIT_S)

    assert living(word) == []
    assert open_descriptors() == before
    assert set(zombies()) <= others


class Crowd:
    """Children of one word, which all stay until the gate is opened."""

    def __init__(self, folder: Path, word: str) -> None:
        self._gate = folder / "gate"
        os.mkfifo(self._gate)
        self.word = word
        self.ended: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, count: int) -> list[asyncio.Task[None]]:
        begun = len(self._tasks)
        self._tasks += [asyncio.create_task(self._one(number)) for number in range(begun, begun + count)]
        return self._tasks[begun:]

    async def _one(self, number: int) -> None:
        await run(["sh", "-c", f": {self.word}; read _ < {self._gate}"], limit_s=LIMIT_S)
        self.ended.append(number)

    async def open(self) -> None:
        """Let everyone end, who is there and who is still to come."""
        held = os.open(self._gate, os.O_RDWR | os.O_NONBLOCK)
        os.write(held, b"\n" * 4000)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        os.close(held)


@pytest.fixture
def crowd(tmp_path: Path, word: str) -> Crowd:
    return Crowd(tmp_path, word)


async def test_no_more_than_eight_children_run_at_once(crowd: Crowd) -> None:
    crowd.start(40)
    await all_of(CHILDREN_MAX, crowd.word)
    for _ in range(50):
        await turn()

    assert len(living(crowd.word)) == CHILDREN_MAX == 8
    await crowd.open()
    assert sorted(crowd.ended) == list(range(40))


async def test_a_waiting_child_that_is_given_up_leaves_the_queue(crowd: Crowd) -> None:
    crowd.start(CHILDREN_MAX)
    await all_of(CHILDREN_MAX, crowd.word)
    waiting = crowd.start(3)
    await turn()

    waiting[0].cancel()
    waiting[1].cancel()

    await crowd.open()
    assert sorted(crowd.ended) == [*range(CHILDREN_MAX), CHILDREN_MAX + 2]


async def test_the_wait_in_the_queue_does_not_count_as_the_childs_own_time(crowd: Crowd) -> None:
    crowd.start(CHILDREN_MAX)
    await all_of(CHILDREN_MAX, crowd.word)
    late = asyncio.create_task(run(["true"], limit_s=0.4))
    await asyncio.wait({late}, timeout=0.6)

    assert not late.done()
    await crowd.open()
    assert (await late).code == 0


async def test_a_wait_in_the_queue_has_an_end_that_names_the_cause(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "QUEUE_LIMIT_S", 0.05)
    crowd.start(CHILDREN_MAX)
    await all_of(CHILDREN_MAX, crowd.word)

    with pytest.raises(NoResources, match="8 others were running"):
        await run(["true"], limit_s=LIMIT_S)

    await crowd.open()
    assert (await run(["true"], limit_s=LIMIT_S)).code == 0


async def test_children_that_wait_for_another_childs_answer_do_not_lock_up(tmp_path: Path) -> None:
    """As a token command does that asks this daemon for another feed: it holds its place meanwhile."""
    answers = tmp_path / "answers"
    os.mkfifo(answers)
    outer = [
        asyncio.create_task(run(["sh", "-c", f"read _ < {answers}"], limit_s=0.5))
        for _ in range(CHILDREN_MAX)
    ]
    await turn()

    inner = await run(["echo", "answer"], limit_s=LIMIT_S)

    assert inner.stdout == b"answer\n"
    assert all(isinstance(each, TimedOut) for each in await asyncio.gather(*outer, return_exceptions=True))


async def test_the_path_of_the_given_environment_finds_the_program(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho mine\n")
    tool.chmod(0o755)

    finished = await run(["tool"], env={"PATH": str(tmp_path)}, limit_s=LIMIT_S)

    assert finished.stdout == b"mine\n"


@pytest.mark.parametrize("path", ["", ":", ".", "bin", "relative:.:"])
def test_nothing_is_found_through_empty_and_relative_entries(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, tmp_path / "bin", tmp_path / "relative"):
        folder.mkdir(exist_ok=True)
        (folder / "az").write_text("#!/bin/sh\n")
        (folder / "az").chmod(0o755)
    monkeypatch.chdir(tmp_path)

    assert executable("az", path) is None
    assert executable("./az", path) is None
    assert executable("az", f"{path}:{tmp_path}/bin") == f"{tmp_path}/bin/az"


async def test_at_the_limit_a_child_that_ignores_signals_is_killed_with_all_it_started(word: str) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()

    with pytest.raises(TimedOut) as caught:
        await run(["sh", "-c", f"trap '' TERM HUP INT; sleep {word} & sleep {word}"], limit_s=0.2)

    assert loop.time() - begun < LIMIT_S  # the child would sleep for longer
    assert (caught.value.program, caught.value.limit_s) == ("sh", 0.2)
    assert str(caught.value) == "sh did not end within 0.2 s"
    await all_gone(word)


async def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(word: str) -> None:
    finished = await run(["sh", "-c", f"echo out; sleep {word} &"], limit_s=LIMIT_S)

    assert finished.stdout == b"out\n"
    (stray,) = await all_of(1, word)  # it may be an agent, started on purpose
    os.kill(stray, signal.SIGKILL)


FLIGHTS = {
    "in the group": "sleep {word} &",
    "in a session of its own": "setsid sleep {word} &",
    "in a session below a session": "setsid setsid sleep {word} &",
    "an orphan in a session of its own": "(setsid sleep {word} &)",
    "an orphan of an orphan": "(setsid sh -c '(setsid sleep {word} &)' &)",
    "without its environment, but with its parents": "env -i setsid sleep {word} &",
    "many": "for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sleep {word} &) done",
}


@pytest.mark.skipif(sys.platform != "linux", reason="who left the group is found through /proc")
@pytest.mark.parametrize("flight", FLIGHTS.values(), ids=FLIGHTS)
async def test_cancelling_kills_whoever_was_started(flight: str, word: str, started: Started) -> None:
    script = f"{flight.format(word=word)}\necho > {started.path}; sleep {word}"
    running = asyncio.create_task(run(["sh", "-c", script], limit_s=LIMIT_S))
    await started.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    await all_gone(word)


@pytest.mark.skipif(sys.platform != "linux", reason="who left the group is found through /proc")
async def test_killing_one_child_leaves_the_others_descendants_alone(tmp_path: Path) -> None:
    words = [f"{FOREVER}.{secrets.randbelow(10**12):012}" for _ in range(2)]
    runs, signals = [], []
    for word in words:
        folder = tmp_path / word
        folder.mkdir()
        signals.append(Started(folder))
        script = f"(setsid sleep {word} &)\nsleep {word} & echo > {signals[-1].path}; wait"
        runs.append(asyncio.create_task(run(["sh", "-c", script], limit_s=LIMIT_S)))
    for signal_ in signals:
        await signal_.wait()
    before = await all_of(3, words[1])

    runs[0].cancel()
    await asyncio.gather(runs[0], return_exceptions=True)
    await all_gone(words[0])

    assert await all_of(3, words[1]) == before
    runs[1].cancel()
    await asyncio.gather(runs[1], return_exceptions=True)
    await all_gone(words[1])


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this is such a Python")
async def test_a_python_built_without_pidfds_does_the_same(
    word: str, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    finished = await run(["echo", "out"], limit_s=LIMIT_S)
    script = f"(setsid sleep {word} &)\necho > {started.path}; sleep {word}"
    running = asyncio.create_task(run(["sh", "-c", script], limit_s=LIMIT_S))
    await started.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    await all_gone(word)
    assert (finished.code, finished.stdout) == (0, b"out\n")


async def test_nothing_is_left_open(word: str) -> None:
    async def round_of_runs() -> None:
        await run(["true"], limit_s=LIMIT_S)
        with pytest.raises(TimedOut):
            await run(["sleep", word], limit_s=0.01)
        with pytest.raises(CannotRun):
            await run(["/etc/passwd"], limit_s=LIMIT_S)

    await round_of_runs()
    before, others = open_descriptors(), set(zombies())

    for _ in range(5):
        await round_of_runs()

    assert open_descriptors() == before
    assert set(zombies()) <= others


async def test_fifty_children_at_once_all_end() -> None:
    finished = await asyncio.gather(*(run(["echo", str(n)], limit_s=LIMIT_S) for n in range(50)))

    assert [int(child.stdout) for child in finished] == list(range(50))
