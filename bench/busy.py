"""A look-up beside two busy programs, against the same while they are stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import programs
from bench.servers import URL, basic_feeds, brokerd
from bench.sheet import Aim, Sheet, ratio
from bench.whole_process import Command, once

BUSY = 2
STATES = {"alone": signal.SIGSTOP, f"beside {BUSY} busy programs": signal.SIGCONT}


def sheet(*, short: bool) -> Sheet:
    """Measure the empty program and the shim in both states, in turn."""
    compiler = list(programs.compilers())[-1]
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="b-") as name,
            brokerd(Path(name, "home"), basic_feeds(1, 1)) as broker,
        ):
            folder = Path(name)
            shim = [str(programs.shim(compiler, folder)), "get", URL, "ci"]
            commands = [
                Command(f"empty static program ({compiler})", [str(programs.empty(compiler, folder))], {}),
                Command(f"native shim ({compiler})", shim, broker.environment),
            ]
            took: dict[tuple[str, str], list[float]] = {}
            for _ in range(20 if short else 200):
                for state, order in STATES.items():
                    for each in spinning:
                        each.send_signal(order)
                    for command in commands:
                        took.setdefault((command.name, state), []).append(once(command))
    finally:
        for each in spinning:
            each.kill()
            each.wait()
    alone, beside = STATES
    empty, asked = (command.name for command in commands)
    unit = ratio(took[empty, alone], 1).middle
    ratios = {key: ratio(seconds, unit) for key, seconds in took.items()}
    return Sheet(
        f"A look-up beside {BUSY} busy programs, in those of the {empty} alone",
        ("command", *STATES, "runs"),
        [
            (name, *(str(ratios[name, state]) for state in STATES), str(len(took[name, alone])))
            for name in (empty, asked)
        ],
        [
            Aim(
                f"{asked} : {empty}, both beside {BUSY} busy programs",
                ratios[asked, beside].middle / ratios[empty, beside].middle,
                4.0,
            )
        ],
    )
