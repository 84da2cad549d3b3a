"""Whatever happens to the daemon, clients that look up all the while notice nothing."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.systemd.account import FEED, SERVICE_UNIT, TOKEN, UNITS
from tests.systemd.machine import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.systemd.account import Account

CLIENTS = 4


class Load:
    """Clients under way."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running

    def answered(self) -> int:
        """How many look-ups were answered so far."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write("\n")
        self._running.stdin.flush()
        return int(self._running.stdout.readline())

    def go_on(self, more: int = 20) -> None:
        """Return when this many more look-ups were answered."""
        until_number = self.answered() + more
        until(lambda: self.answered() >= until_number, "more answers")

    def failures(self) -> list[str]:
        """End, and return what every look-up that was not answered said."""
        printed, _ = self._running.communicate(timeout=60)
        failures: list[str] = json.loads(printed.splitlines()[-1])["failures"]
        return failures


@pytest.fixture
def load(served: Account) -> Iterator[Load]:
    """Clients that have begun to look up."""
    program = served.write("load.py", Path(__file__).with_name("load.py").read_text())
    shim: list[str | Path] = [served.bin / "keyring-shim", "get", FEED, "user"]
    running = served.start(served.bin / "python", program, str(CLIENTS), TOKEN, *shim)
    made = Load(running)
    made.go_on()
    yield made
    with contextlib.suppress(ValueError):  # ended already
        running.communicate(timeout=60)


PATIENT = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nWatchdogSec=1\n"
"""Begun anew as often as a test likes; a process that stands still is noticed sooner than people need it."""


@pytest.fixture
def patient(served: Account) -> Account:
    """Alice, whose service manager never gives the daemon up."""
    served.write(f"{UNITS}/{SERVICE_UNIT}.d/patient.conf", PATIENT)
    served.systemctl("daemon-reload")
    return served


@pytest.mark.parametrize("times", [1, pytest.param(50, marks=pytest.mark.long)])
def test_restarts_reloads_kills_and_standstills_lose_no_look_up(
    patient: Account, load: Load, times: int
) -> None:
    for _ in range(times):
        for verb in ("restart", "reload"):
            patient.systemctl(verb, SERVICE_UNIT)
            load.go_on()
        for signal in ("KILL", "STOP"):
            before = patient.pid()
            patient.kill(signal)
            until(lambda before=before: patient.pid() not in {0, before}, "next daemon")  # type: ignore[misc]
            load.go_on()

    assert load.failures() == []


@pytest.mark.long
def test_two_hundred_kills_at_random_moments_lose_no_look_up(patient: Account, load: Load) -> None:
    dice = random.Random(9)  # noqa: S311 - the same each time
    killed: set[int] = set()
    for _ in range(200):
        load.go_on(dice.randrange(1, 60))  # busy, just starting or idle: whatever it is just now
        victim = until(patient.pid, "daemon")
        killed.add(victim)
        patient.run("kill", "-KILL", str(victim), check=False)

    assert load.failures() == []
    assert len(killed) > 150
