"""What another program of the same user can do to the socket, and what a good client notices of it."""

from __future__ import annotations

import resource
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED, household
from tests.e2e.patience import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.brokerd import Brokerd

pytestmark = pytest.mark.long

ATTACKER = Path(__file__).with_name("attacker.py")
LOOK_UPS = 1000
P99_S = 0.020
TIMES_QUIET = 5
RSS_GROWTH_KB = 10 * 1024
LOG_BYTES = 100_000
FEW_FDS = 64
CPU_SHARE = 0.5
NAP_S = 0.01  # the shims' own


@pytest.fixture
def broker() -> Iterator[Brokerd]:
    with household() as house:
        house.configure(house.plain_feed())
        with house.brokerd() as running:
            yield running


@contextmanager
def attack(broker: Brokerd, way: str) -> Iterator[Callable[[], bool]]:
    """An attack in a process of its own, in full swing; says whether it has gone on for long enough."""
    with subprocess.Popen(
        [sys.executable, "-I", ATTACKER, way, broker.wire.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as attacker:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == "begun\n"
        said = attacker.stdout
        yield lambda: bool(select.select([said], [], [], 0)[0])
        told, _ = attacker.communicate(timeout=60)
        assert int(told.splitlines()[-1]) > 0


def look_up(broker: Brokerd) -> int:
    """The status of a look-up, which tries again where the backlog is full, as the shims do."""
    while True:
        try:
            return broker.wire.look_up(PLAIN_FEED).status
        except BlockingIOError:
            time.sleep(NAP_S)


def p99_s(broker: Brokerd, is_enough: Callable[[], bool] = lambda: True) -> float:
    """The 99th percentile of a good client's look-ups, all of which must be answered."""
    taken: list[float] = []
    while len(taken) < LOOK_UPS or not is_enough():
        begun = time.perf_counter()
        assert look_up(broker) == 200
        taken.append(time.perf_counter() - begun)
    return quantiles(taken, n=100)[-1]


@pytest.mark.parametrize("way", ["dawdle", "crowd", "boast", "babble"])
def test_a_good_client_hardly_notices_an_attack(broker: Brokerd, way: str) -> None:
    p99_s(broker)  # everything that is loaded late is loaded
    quiet_s = p99_s(broker)
    rss_before, said_before = broker.rss_kb, len(broker.log)

    with attack(broker, way) as is_enough:
        attacked_s = p99_s(broker, is_enough)

    sys.stdout.write(f"{way}: p99 {quiet_s * 1000:.1f} ms quiet, {attacked_s * 1000:.1f} ms attacked\n")
    assert attacked_s <= max(P99_S, TIMES_QUIET * quiet_s)
    assert broker.rss_kb - rss_before < RSS_GROWTH_KB
    assert len(broker.log) - said_before < LOG_BYTES


def test_whoever_holds_every_place_delays_others_and_no_more(broker: Brokerd) -> None:
    rss_before, said_before = broker.rss_kb, len(broker.log)

    with attack(broker, "occupy"):
        for _ in range(3):
            until(broker.wire.serves, "answer in the crowd", patience_s=60)

    assert broker.rss_kb - rss_before < 3 * RSS_GROWTH_KB  # five hundred connections are held
    assert len(broker.log) - said_before < LOG_BYTES


def test_with_few_descriptors_callers_wait_and_are_answered() -> None:
    with household() as house:
        house.configure(house.plain_feed())
        with house.brokerd() as running:
            resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (FEW_FDS, FEW_FDS))
            said_before = len(running.log)

            with attack(running, "sit"):
                used_s, begun = running.cpu_s, time.monotonic()
                answers = [running.wire.look_up(PLAIN_FEED).status for _ in range(5)]
                share = (running.cpu_s - used_s) / (time.monotonic() - begun)

            assert answers == [200] * 5
            assert share < CPU_SHARE
            assert len(running.log) - said_before < LOG_BYTES
