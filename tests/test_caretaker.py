"""What the service manager hears of a daemon: that it lives, how it is, that it has reloaded."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.api.office import About
from broker.caretaker import Caretaker
from broker.host.layers import ConfigFiles
from broker.host.notify import Notifier
from broker.host.place import Place
from broker.service import Service
from tests.fake_clock import START, FakeClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WATCHDOG_S = 10
LOOK_S = WATCHDOG_S / 2


@dataclass
class Watched:
    """A daemon without its server, and the manager that watches it."""

    clock: FakeClock
    caretaker: Caretaker
    keeping: asyncio.Task[None]
    manager: socket.socket

    def heard(self) -> list[str]:
        """The lines of every message since this was last asked."""
        lines: list[str] = []
        while True:
            try:
                lines += self.manager.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    clock = FakeClock()
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as short,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(f"{short}/notify")
        manager.setblocking(False)  # noqa: FBT003 - its signature
        environ = {
            "NOTIFY_SOCKET": f"{short}/notify",
            "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000),
            "WATCHDOG_PID": str(os.getpid()),
        }
        place = Place.get(Path(short, "run", "broker.sock"), {})
        about = About("0", os.getpid(), str(place.path), None, START)
        files = ConfigFiles(None, None, Path(short, "config.toml"))
        service = Service(about, files, clock=clock, environ={}, classes=())
        caretaker = Caretaker(
            service, place, clock=clock, notifier=Notifier(environ), idle_exit_s=None, marks=lambda: 0
        )
        keeping = asyncio.create_task(service.keeper.run())
        looking = asyncio.create_task(caretaker.run())
        await settle()
        yield Watched(clock, caretaker, keeping, manager)
        caretaker.end("the test's end")
        keeping.cancel()
        await looking
        await service.close()
        place.close()


async def test_ready_comes_first_with_the_status(watched: Watched) -> None:
    assert watched.heard() == ["READY=1", "STATUS=0 of 0 feeds usable"]


async def test_a_daemon_whose_keeper_turns_pings_twice_in_the_watchdogs_time(watched: Watched) -> None:
    watched.heard()

    await watched.clock.advance(60)

    assert watched.heard().count("WATCHDOG=1") == 60 / LOOK_S


async def test_a_daemon_whose_keeper_stands_still_does_not_ping(watched: Watched) -> None:
    watched.keeping.cancel()
    await watched.clock.advance(LOOK_S)  # what it did before it stood still still counts
    watched.heard()

    await watched.clock.advance(60)

    assert "WATCHDOG=1" not in watched.heard()


async def test_a_reload_that_was_asked_for_is_announced_and_ended(watched: Watched) -> None:
    watched.heard()

    watched.caretaker.reload()
    await settle()

    told = [line for line in watched.heard() if not line.startswith(("MONOTONIC_USEC=", "WATCHDOG"))]
    assert told == ["RELOADING=1", "READY=1", *["STATUS=0 of 0 feeds usable"] * 2]
