"""A forked daemon is to its tests what a started one is: see `daemon_nursery.py`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD
from tests.e2e.patience import until

if TYPE_CHECKING:
    from tests.e2e.brokerd import Brokerd
    from tests.e2e.household import Household

OF_A_START = ("Umask", "SigBlk", "SigIgn", "SigCgt", "CapEff")
"""What a process inherits or sets up, of /proc/PID/status."""


def inherited(broker: Brokerd) -> dict[str, str]:
    def told() -> dict[str, str] | None:
        lines = Path(f"/proc/{broker.pid}/status").read_text().splitlines()
        found = {name: value for name, _, value in (line.partition(":\t") for line in lines)}
        begins_a_thread = (
            int(found["SigBlk"], 16) >> (signal.SIGTERM - 1) & 1
        )  # for that moment all are blocked
        return None if begins_a_thread else {name: found[name] for name in OF_A_START}

    ids = {"group": str(os.getpgid(broker.pid)), "session": str(os.getsid(broker.pid))}
    return until(told, "moment without a new thread") | ids


def ways(house: Household, *options: str) -> tuple[Brokerd, Brokerd]:
    house.configure(house.plain_feed())
    return house.brokerd(*options), house.forked_brokerd(*options)


def test_a_forked_daemon_has_the_process_state_and_answers_of_a_started_one(house: Household) -> None:
    seen = []
    for each in ways(house):
        with each as broker:
            assert broker.wire.status()["pid"] == broker.pid
            seen.append((inherited(broker), broker.wire.look_up(PLAIN_FEED).password))

    assert seen[0] == seen[1]
    assert seen[0][1] == PLAIN_PASSWORD


@pytest.mark.parametrize(("options", "code"), [(("--idle-exit", "never"), 2), (("--socket", "/proc/no"), 1)])
def test_a_forked_daemon_that_cannot_start_ends_with_the_code_and_words_of_a_started_one(
    house: Household, options: tuple[str, ...], code: int
) -> None:
    said: list[str] = []
    for each in ways(house, *options):
        before = len(each.log) if said else 0
        each.start()
        assert each.wait() == code
        said.append(each.log[before:])

    assert said[0] == said[1] != ""


def test_the_kill_of_a_forked_daemon_is_told(house: Household) -> None:
    _, forked = ways(house)
    forked.ends_with = -signal.SIGKILL

    with forked:
        forked.signal(signal.SIGKILL)

        assert forked.wait() == -signal.SIGKILL
    assert forked.has_ended()
