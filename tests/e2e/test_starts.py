"""Who starts the daemon and when it ends by itself: one serves, whoever asked for it."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, Household, feed
from tests.e2e.patience import until
from tests.e2e.wire import Wire
from tests.fakes.az import alive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.clients import Outcome

SHIMS = 50


def ask(house: Household) -> Outcome:
    """A look-up that may start the daemon."""
    return house.keyring("get", AZURE_FEED, "dev", TOKEN_BROKER_AUTOSTART="1")


@contextmanager
def nobodys_daemon(house: Household) -> Iterator[Wire]:
    """The socket of a daemon that shims may start; whoever serves at the end is ended."""
    wire = Wire(house.socket)
    try:
        yield wire
    finally:
        if wire.serves():
            pid: int = wire.status()["pid"]
            os.kill(pid, signal.SIGTERM)
            until(lambda: not alive(pid), f"end of process {pid}")


def test_shim_starts_the_daemon_where_nobody_serves(house: Household) -> None:
    with nobodys_daemon(house) as wire:
        outcome = ask(house)

        assert (outcome.exit_code, outcome.stderr) == (0, "")
        assert outcome.stdout.strip() in house.tokens
        command = Path(f"/proc/{wire.status()['pid']}/cmdline").read_bytes().split(b"\0")
        assert command[-3:] == [b"--idle-exit", b"1h", b""]
    assert not house.socket.exists()


def test_shim_that_may_not_start_a_daemon_says_what_to_type(house: Household) -> None:
    outcome = house.keyring("get", AZURE_FEED, "dev")

    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert outcome.stderr == "token-broker: the broker is not running; run: brokerctl setup\n"


def test_fifty_shims_at_once_start_one_daemon(house: Household) -> None:
    with nobodys_daemon(house), ThreadPoolExecutor(SHIMS) as pool:
        outcomes = list(pool.map(ask, [house] * SHIMS))

    assert {outcome.exit_code for outcome in outcomes} == {0}
    assert len({outcome.stdout for outcome in outcomes}) == 1
    assert len(house.az.calls) == 1


def test_shim_starts_another_daemon_after_one_was_killed(house: Household) -> None:
    with nobodys_daemon(house) as wire:
        ask(house)
        first = wire.status()["pid"]
        os.kill(first, signal.SIGKILL)
        until(lambda: not alive(first), "death of the daemon")

        assert ask(house).exit_code == 0

        assert wire.status()["pid"] != first


def test_daemon_that_nobody_asks_ends_by_itself(house: Household) -> None:
    broker = house.brokerd("--idle-exit", "500ms")
    broker.start()

    assert broker.wait() == 0

    assert "ended reason=idle: no request for a long time" in broker.log
    assert not house.socket.exists()


def test_second_daemon_ends_at_once_and_names_the_first(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    second = house.brokerd()
    with house.brokerd() as first:
        second.start()

        assert second.wait() == 1

        told = f"brokerd: process {first.pid} already serves {house.socket}; run: brokerctl status\n"
        assert told in second.log
        assert house.keyring("get", AZURE_FEED, "dev").exit_code == 0


@pytest.mark.long
def test_of_two_that_start_together_exactly_one_serves_fifty_times(house: Household) -> None:
    for _ in range(50):
        pair = [house.brokerd(), house.brokerd()]
        for each in pair:
            each.start()
        until(lambda pair=pair: any(each.has_ended() for each in pair), "end of one of two")  # type: ignore[misc]
        until(pair[0].wire.serves, "answer of the other")

        [serving] = [each for each in pair if not each.has_ended()]
        [other] = [each for each in pair if each.has_ended()]
        assert pair[0].wire.status()["pid"] == serving.pid
        assert other.wait() == 1
        assert serving.end() == 0
        assert not house.socket.exists()
