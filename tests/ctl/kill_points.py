"""A program that runs brokerctl in children which it kills at each of their changes to a file.

It is one of its own because only a process with one thread may fork, and so that brokerctl is loaded once.
The power stays on: what a child wrote is on the disk, so `fsync` may do nothing here.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from broker.ctl.app import main
from tests.ctl import homes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHANGES = frozenset(
    f"os.{name}"
    for name in (
        "chmod",
        "chown",
        "link",
        "mkdir",
        "remove",
        "rename",
        "rmdir",
        "symlink",
        "truncate",
        "utime",
    )
)
"""Audit events (docs.python.org/3/library/audit_events.html) of calls that change a folder or a file."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
SETUP = ("setup", "--replace", "--clients")
TEARDOWN = ("teardown",)
SCRIPT = ".local/share/token-broker/setup/undo.sh"
POINTS_MAX = 1000

Trees = list[dict[str, tuple[str, object]]]


class Killer:
    """Ends this process by SIGKILL right before its change number `at`."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count what changes something."""
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & WRITING or str(path) == os.devnull:
                return
        elif event not in CHANGES:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def run(*words: str, killed_at: int | None = None, gate: int | None = None) -> int:
    """Start `brokerctl words` in a child; returns its process id. `gate`: it first reads a byte there."""
    child = os.fork()
    if child == 0:
        _be_brokerctl(words, killed_at, gate)
    return child


def _stay_on(fd: object) -> None:
    """Instead of `fsync`, which would wait for the disk."""


def _be_brokerctl(words: Sequence[str], killed_at: int | None, gate: int | None) -> NoReturn:
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.fsync = _stay_on
    sys.argv = ["brokerctl", *words]
    if gate is not None:
        os.read(gate, 1)
    if killed_at is not None:
        sys.addaudithook(Killer(killed_at))
    try:
        main()
    except SystemExit as ended:
        os._exit(int(ended.code or 0))
    except BaseException:  # noqa: BLE001 - a child never goes on as its parent
        os._exit(99)
    os._exit(0)


def ended(child: int) -> int:
    """The child's exit code; a negative signal where one ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def seen(*folders: Path) -> Trees:
    """All that is in the folders."""
    return [homes.tree(folder) for folder in folders]


def differences(before: Trees, after: Trees) -> list[str]:
    """The entries that are not as they were."""
    pairs = list(zip(before, after, strict=True))
    return [
        place
        for old, new in pairs
        for place in sorted(old.keys() | new.keys())
        if old.get(place) != new.get(place)
    ]


def every_point(home: Path, killed: Sequence[str], then: str, first: int, step: int) -> dict[str, Any]:
    """Kill `killed` at its changes `first`, `first + step`, ..., repair by `then`, and say what is left."""
    runtime, kept = Path(os.environ["XDG_RUNTIME_DIR"]), home.with_name("kept")
    before = seen(home, runtime)
    if killed == TEARDOWN:
        ended(run(*SETUP))
    shutil.copytree(home, kept, symlinks=True)
    left: dict[int, list[str]] = {}
    for point in range(first, POINTS_MAX, step):
        if ended(run(*killed, killed_at=point)) != -signal.SIGKILL:
            return {"points": (point - first) // step, "left": left}
        codes = repair(home, then)
        found = differences(before, seen(home, runtime))
        if found or any(codes):
            left[point] = [*found, f"codes {codes}"]
        shutil.rmtree(home)
        shutil.copytree(kept, home, symlinks=True)
    raise AssertionError("it does not end")


def repair(home: Path, then: str) -> list[int]:
    """Undo what the killed one did; the exit codes. Where there is no script yet, teardown does it."""
    if then == "again":
        return [ended(run(*SETUP)), ended(run(*TEARDOWN))]
    if then == "script" and (home / SCRIPT).exists():
        return [
            subprocess.run(["/bin/sh", home / SCRIPT], check=False, capture_output=True, cwd="/").returncode
        ]
    return [ended(run(*TEARDOWN))]


def at_once(home: Path, rounds: int) -> dict[str, Any]:
    """Start four at the same moment, `rounds` times, then one teardown; what is not as it was."""
    before = seen(home)
    mixes: list[list[Sequence[str]]] = [[SETUP] * 4, [SETUP, ("setup",), TEARDOWN, SETUP]]
    left: dict[int, list[str]] = {}
    for number in range(rounds):
        gate, start = os.pipe()
        children = [run(*words, gate=gate) for words in mixes[number % len(mixes)]]
        os.close(gate)
        os.write(start, b"4444")
        codes = [ended(child) for child in children]
        os.close(start)
        last = ended(run(*TEARDOWN))
        found = differences(before, seen(home))
        if found or last or any(code not in {0, 1} for code in codes):
            left[number] = [*found, f"codes {codes}, {last}"]
            return {"rounds": number + 1, "left": left}
    return {"rounds": rounds, "left": left}


def load_what_a_child_loads() -> None:
    """Let a dry run import here what brokerctl imports late, so that no child has to."""
    ours, sys.argv = sys.argv, ["brokerctl", *SETUP, "--dry-run"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()
    sys.argv = ours
    assert threading.active_count() == 1
    gc.freeze()  # a child that looks for garbage there gets a copy of each page that it looks at


def _furnished() -> Path:
    home = Path.home()
    furnish: Callable[[Path], None]
    for name in sys.argv[2].split(","):
        furnish = getattr(homes, name)
        furnish(home)
    return home


if __name__ == "__main__":
    place = _furnished()
    load_what_a_child_loads()
    if sys.argv[1] == "at_once":
        sys.stdout.write(json.dumps(at_once(place, int(sys.argv[3]))))
    else:
        verb = SETUP if sys.argv[1] == "setup" else TEARDOWN
        sys.stdout.write(
            json.dumps(every_point(place, verb, sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
        )
