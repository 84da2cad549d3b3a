"""What idle daemons of many users take each: their own memory, and their parts of what is shared (PSS)."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench.servers import Server, bare, basic_feeds, brokerd
from bench.sheet import Aim, Sheet, ratio

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

USERS = 20


def sheet(*, short: bool) -> Sheet:
    """So many of each at once, each after one look-up."""
    users = 3 if short else USERS
    plain = _pss_kib(users, bare)
    ours = _pss_kib(users, lambda folder: brokerd(folder / "home", basic_feeds(1, 1)))
    unit = ratio(plain, 1).middle
    return Sheet(
        f"Memory of {users} idle daemons (PSS of each), in that of as many bare FastAPI applications",
        ("", "ratio (quartiles)", "processes"),
        [
            ("bare FastAPI application", str(ratio(plain, unit)), str(users)),
            ("brokerd", str(ratio(ours, unit)), str(users)),
        ],
        [Aim("brokerd : bare FastAPI application", ratio(ours, unit).middle, 1.0)],
    )


def _pss_kib(users: int, server: Callable[[Path], AbstractContextManager[Server]]) -> list[float]:
    with ExitStack() as undo:
        folders = [Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="b-"))) for _ in range(users)]
        running = [undo.enter_context(server(folder)) for folder in folders]
        return [_pss_of(each.pid) for each in running]


def _pss_of(pid: int) -> float:
    """In KiB (proc_pid_smaps(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
