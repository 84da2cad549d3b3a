"""The processes of this machine, as Linux's /proc has them."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def in_proc(file: str) -> Iterator[tuple[int, bytes]]:
    """The id of each process whose /proc/PID/FILE this user may read, and what it says.

    One that ends meanwhile is left out. Other users' processes and other tests' come, too: text is no UTF-8.
    """
    for process in Path("/proc").iterdir():  # no glob: it raises for a process that ends while it looks at it
        if not process.name.isdecimal():
            continue
        try:
            said = (process / file).read_bytes()
        except OSError:
            continue
        yield int(process.name), said


def of_a_job(mark: str) -> dict[int, bytes]:
    """The environment of each process that carries NAME=VALUE of its runner, as its user may read it.

    brokerd is left out for root, too, who could read what brokerd hides from its user.
    """
    started = dict(in_proc("cmdline"))
    return {
        pid: carried
        for pid, carried in in_proc("environ")
        if mark.encode() in carried.split(b"\0") and b"brokerd" not in started.get(pid, b"brokerd")
    }


def kill(pids: Iterable[int]) -> None:
    """Kill these processes, as far as they have not ended meanwhile."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
