"""Finding and killing all that a child started, wherever it went.

A process group is left by setsid, and a parent's death breaks the chain of parents, so a child is given a
random mark in its environment that its descendants inherit (Jenkins finds a build's strays in the same way).
It names the descendants of this child and of no other, which a subreaper could not. A process that left the
group, lost its parents and cleared its environment escapes; in a service the cgroup gets it at the end.
Linux has /proc; elsewhere only the group is killed.
"""

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

VARIABLE = "TOKEN_BROKER_CHILD"

PASSES_MAX = 50
"""A pass finds the processes that were started during the one before; two are usual, a fork bomb may win."""

ENVIRON_BYTES_MAX = 1 << 20


class _Process(NamedTuple):
    """A line of /proc/PID/stat (proc_pid_stat(5)); with `started`, in clock ticks, a pid is unique."""

    pid: int
    parent: int
    started: int


class ChildMark:
    """One child's random mark."""

    def __init__(self) -> None:
        self._value = secrets.token_hex(16)

    def on(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment with the mark in it."""
        return {**environment, VARIABLE: self._value}

    def kill_below(self, child: int) -> None:
        """Kill the child, its process group and all its descendants. The child must not have been reaped."""
        met: set[_Process] = set()
        for _ in range(PASSES_MAX):
            # before the first kill, for it breaks the chain of parents
            found = [process for process in self._below(child) if process not in met]
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
            if not found:
                return
            for process in found:
                _kill(process)
            met.update(found)

    def _below(self, child: int) -> list[_Process]:
        processes = {process.pid: process for process in _processes_of_ours()}
        return [
            process
            for process in processes.values()
            if _descends(process, child, processes) or self._is_on(process.pid)
        ]

    def _is_on(self, pid: int) -> bool:
        try:
            with Path(f"/proc/{pid}/environ").open("rb") as environ:
                return f"{VARIABLE}={self._value}".encode() in environ.read(ENVIRON_BYTES_MAX).split(b"\0")
        except OSError:
            return False


def _descends(process: _Process, child: int, processes: Mapping[int, _Process]) -> bool:
    above: _Process | None = process
    for _ in range(len(processes)):
        if above is None or above.pid == child:
            break
        above = processes.get(above.parent)
    return above is not None and above.pid == child


def _processes_of_ours() -> Iterator[_Process]:
    """The processes that we may kill, our own excepted; nothing where there is no /proc."""
    uid = os.geteuid()
    try:
        entries = list(os.scandir("/proc"))
    except OSError:
        return
    for entry in entries:
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if uid in {0, entry.stat(follow_symlinks=False).st_uid}:
                yield _look(int(entry.name))


def _look(pid: int) -> _Process:
    """Raises OSError when there is no such process."""
    # the program's name stands in brackets and may hold anything, brackets too
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return _Process(pid, parent=int(fields[1]), started=int(fields[19]))


def _kill(process: _Process) -> None:
    """Kill this process, and no other that got its pid meanwhile."""
    with contextlib.suppress(OSError):
        try:
            descriptor = os.pidfd_open(process.pid)
        except AttributeError:  # some portable builds of Python: the moment between two calls must do
            if _look(process.pid).started == process.started:
                os.kill(process.pid, signal.SIGKILL)
            return
        try:
            if _look(process.pid).started == process.started:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
