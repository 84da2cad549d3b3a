"""What the native shim takes from the C library and asks of the kernel: only what a look-up needs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import build_shim
import pytest

from tests.contract.conftest import Session, installed
from tests.contract.scripted_broker import ScriptedBroker, credential, hangs
from tests.contract.shims import CLIENT, FLAGS, RUN_LIMIT_S, SANITIZERS, Shim, compiler
from tests.sampling import sampled

NATIVE = Path(__file__).parent / "native"
URL = "https://feed.example/simple/"

# Nothing that allocates (malloc, setenv, realpath), prints (stdio) or has a locale (strtol) is here.
STRINGS = {
    *("bcmp", "getenv", "memchr", "memcmp", "memcpy", "memmove", "memset"),
    *("strchr", "strcmp", "strlen", "strncmp", "strrchr", "strcspn", "strspn"),
}
CALLS = {
    *("access", "chdir", "clock_gettime", "close", "connect", "dup2", "_exit", "execv", "execve", "fcntl"),
    *(
        "flock",
        "fork",
        "getauxval",
        "getpid",
        "getsockopt",
        "kill",
        "lstat",
        "mkdir",
        "nanosleep",
        "open",
    ),
    *("pipe", "poll", "prctl", "read", "readlink", "recv", "send", "setsid", "setsockopt", "signal"),
    *("socket", "stat"),
    *("syscall", "sysconf", "uname", "waitpid", "write"),
}
OF_THE_COMPILER = {"environ", "__errno_location", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}

LOOKUP = [
    "prctl",  # no core file, whatever happens from here
    "clock_gettime",  # when the budget begins
    "stat",  # the runtime directory is ours
    "lstat",  # the socket's directory, too, and nobody else's
    "lstat",  # the socket is one of ours
    "socket",
    "clock_gettime",  # what is left of the budget, and twice below
    "setsockopt",  # for connect
    "connect",
    "getsockopt",  # who listens
    "clock_gettime",
    "sendto",
    "clock_gettime",
    "poll",  # for the answer, as long as the budget lasts
    "recvfrom",
    "close",
    "rt_sigaction",  # a reader that is gone is no end by a signal
    "write",
    "exit_group",
]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's calls and tools")
STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not here")


@pytest.fixture(autouse=True)
def _compiler_is_here() -> None:
    if compiler() is None:
        pytest.skip("no C compiler here: the native shim cannot be built")


@pytest.fixture
def native(session: Session, environment: dict[str, str], place: Path) -> Shim:
    return Shim(installed(session, "native"), environment, place / "empty")


@pytest.mark.parametrize("name", sampled([*build_shim.COMPILERS, "clang"], ["cc"]))
def test_source_has_no_warning_as_wheels_are_built(place: Path, name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not here")
    flags = (*build_shim.FLAGS, "-Werror", "-Wpedantic", "-Wshadow")

    done = subprocess.run(
        [name, *flags, "-o", str(place / "shim"), str(CLIENT / "keyring_shim.c")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@linux_only
def test_nothing_is_taken_that_allocates_prints_or_has_a_locale(place: Path) -> None:
    tool, names = compiler(), shutil.which("nm")
    assert tool is not None
    assert names is not None, "binutils come with the compiler"
    program = place / "shim.o"
    subprocess.run(
        [tool, *build_shim.FLAGS, "-c", "-o", str(program), str(CLIENT / "keyring_shim.c")], check=True
    )

    found = subprocess.run(
        [names, "--undefined-only", "--format=just-symbols", str(program)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(found.stdout.split()) <= STRINGS | CALLS | OF_THE_COMPILER


@linux_only
@needs_strace
def test_lookup_makes_no_call_that_is_not_needed(native: Shim, broker: ScriptedBroker, place: Path) -> None:
    broker.will(credential("Fred", "s3cret"))
    trace = place / "trace"
    traced = Shim(
        native.program, native.environment, native.directory, prefix=(str(STRACE), "-o", str(trace))
    )

    ended = traced("get", URL, "Fred")

    assert ended.stdout == b"s3cret\n"
    calls = [
        "lstat" if "AT_SYMLINK_NOFOLLOW" in line else match[1].replace("newfstatat", "stat")
        for line in trace.read_text().splitlines()
        if (match := re.match(r"(\w+)\(", line))
    ]
    assert calls[calls.index("prctl") :] == LOOKUP, "after what the C library does for any program"


@linux_only
@pytest.mark.parametrize("peer", ["late", "never"])
def test_request_that_finds_no_room_waits_within_the_budget(place: Path, peer: str) -> None:
    tool = compiler()
    assert tool is not None
    program = str(place / "full_pipe")
    source = str(NATIVE / "full_pipe.c")
    command = [tool, *FLAGS, *SANITIZERS, "-I", str(CLIENT), "-o", program, source]
    subprocess.run(command, check=True, timeout=RUN_LIMIT_S)

    done = subprocess.run([program, peer], capture_output=True, check=False, timeout=RUN_LIMIT_S)

    assert (done.returncode, done.stderr) == (0, b"")


def left_a_core_file(command: list[str], shim: Shim, *, ready: ScriptedBroker | None) -> bool:
    """Run the command with core files allowed, abort it at work, and return whether one was written."""
    script = 'ulimit -c unlimited; echo; exec "$@"'
    running = Shim(Path("/bin/sh"), shim.environment, shim.directory).start("-c", script, "sh", *command)
    assert running.stdout is not None
    running.stdout.readline()
    while ready is not None and not ready.requests:
        assert running.poll() is None
    if ready is None:
        while Path(f"/proc/{running.pid}/comm").read_text() != f"{Path(command[0]).name}\n":
            assert running.poll() is None
    os.kill(running.pid, signal.SIGABRT)
    _, status = os.waitpid(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    running.communicate()
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


@linux_only
def test_lookup_that_crashes_leaves_no_core_file(native: Shim, broker: ScriptedBroker) -> None:
    broker.will(hangs(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nFred\ns3c"))
    if not left_a_core_file(["/bin/sleep", "60"], native, ready=None):
        pytest.skip("this machine writes no core files at all")

    assert not left_a_core_file([str(native.program), "get", URL, "Fred"], native, ready=broker)
