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

from broker.api.backend import About
from broker.config.files import ConfigFiles
from broker.daemon.housekeeping import Ending, Housekeeper
from broker.daemon.runtime import Runtime
from broker.daemon.shares import Shares
from broker.host.sd_notify import Notifier
from broker.server.bound_socket import BoundSocket
from tests.daemon.test_shares import CORP, FakeAcceptor
from tests.fake_clock import START, FakeClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from broker.host.aside import Found

WATCHDOG_S = 10
LOOK_S = WATCHDOG_S / 2


@dataclass
class Watched:
    """A daemon without its server, and the manager that watches it."""

    clock: FakeClock
    service: Runtime
    housekeeper: Housekeeper
    keeping: asyncio.Task[None]
    manager: socket.socket
    place: BoundSocket
    renewals: list[str]

    def heard(self) -> list[str]:
        """The lines of every message since this was last asked."""
        lines: list[str] = []
        while True:
            try:
                lines += self.manager.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


async def at_once(work: Callable[[], Found], limit_s: float) -> Found:
    """Do it here and now: threads know nothing of a clock that stands still."""
    del limit_s
    return work()


@pytest.fixture
def is_managers() -> bool:
    """Whether the manager holds the socket, too."""
    return False


def handed(path: Path) -> BoundSocket:
    """A place whose socket a manager made."""
    path.parent.mkdir(mode=0o700)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    return BoundSocket(listening, path, None)


@pytest.fixture
def idle_exit_s() -> float | None:
    """After how long a silence it ends."""
    return None


@pytest.fixture
async def watched(is_managers: bool, idle_exit_s: float | None) -> AsyncIterator[Watched]:
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
        path = Path(short, "run", "broker.sock")
        place = handed(path) if is_managers else BoundSocket.get(path, {})
        renewals: list[str] = []

        async def renewed() -> None:
            renewals.append("asked")

        about = About("0", os.getpid(), str(place.path), None, START)
        files = ConfigFiles(None, None, Path(short, "config.toml"))
        service = Runtime(about, files, clock=clock, environ={}, classes=(), aside=at_once)
        housekeeper = Housekeeper(
            service,
            place,
            clock=clock,
            notifier=Notifier(environ),
            idle_exit_s=idle_exit_s,
            stamps=lambda: 0,
            renew_socket=renewed,
        )
        keeping = asyncio.create_task(service.keeper.loop.run())
        looking = asyncio.create_task(housekeeper.run())
        await settle()
        yield Watched(clock, service, housekeeper, keeping, manager, place, renewals)
        housekeeper.end("the test's end")
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

    watched.housekeeper.reload()
    await settle()

    told = [line for line in watched.heard() if not line.startswith(("MONOTONIC_USEC=", "WATCHDOG"))]
    assert told == ["RELOADING=1", "READY=1", *["STATUS=0 of 0 feeds usable"] * 2]


async def test_a_daemon_whose_socket_was_removed_ends_to_be_started_again(watched: Watched) -> None:
    watched.place.path.unlink()

    await watched.clock.advance(LOOK_S)

    assert watched.housekeeper.ending == Ending("the socket was removed or taken by another process", code=1)


async def test_a_socket_that_is_there_is_left_alone(watched: Watched) -> None:
    await watched.clock.advance(60)

    assert (watched.housekeeper.ending, watched.renewals) == (None, [])


@pytest.mark.parametrize("is_managers", [True])
async def test_a_managers_socket_that_is_there_is_left_alone(watched: Watched) -> None:
    await watched.clock.advance(60)

    assert (watched.housekeeper.ending, watched.renewals) == (None, [])


@pytest.mark.parametrize("is_managers", [True])
@pytest.mark.parametrize("way", ["removed", "replaced"])
async def test_a_managers_socket_that_is_lost_is_asked_for_once_and_the_daemon_lives_on(
    watched: Watched, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    watched.place.path.rename(watched.place.path.with_name("away"))
    if way == "replaced":
        watched.place.path.touch()

    await watched.clock.advance(LOOK_S)
    watched.heard()
    await watched.clock.advance(60)

    assert (watched.housekeeper.ending, watched.renewals) == (None, ["asked"])
    assert watched.heard().count("WATCHDOG=1") == 60 / LOOK_S
    assert caplog.text.count(f"socket_lost path={watched.place.path} renewal=asked for") == 1


def test_a_managers_socket_that_cannot_be_seen_is_not_missed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        assert not BoundSocket(listening, tmp_path / "hidden" / "broker.sock", None).is_lost()


@pytest.mark.parametrize("idle_exit_s", [60])
@pytest.mark.parametrize(("life_s", "ended"), [(30, "idle: no request for a long time"), (8 * 3600, None)])
async def test_an_idle_daemon_ends_unless_something_is_shared(
    watched: Watched, life_s: float, ended: str | None
) -> None:
    base = watched.place.path.parent
    shares = Shares(base, os.geteuid(), clock=watched.clock, feed_named={"corp": CORP}.get)
    shares.begin(FakeAcceptor)
    shares.grant("dev", ["corp"], life_s)
    watched.service.shares = shares

    await watched.clock.advance(120)

    assert (watched.housekeeper.ending and watched.housekeeper.ending.reason) == ended


def fail(*_: object) -> bool:
    raise OverflowError("s3cret")


async def fail_later(*_: object, **__: object) -> bool:
    return fail()


@pytest.mark.parametrize(
    "item",
    ["place.is_lost", "_stamps", "_summary", "shares.look", "keeper.loop.has_turned", "reload_if_changed"],
)
async def test_a_round_survives_whatever_one_of_its_items_raises(
    watched: Watched, item: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looked: list[str] = []
    broken = {
        "place.is_lost": (watched.place, "is_lost", fail),
        "_stamps": (watched.housekeeper, "_stamps", fail),
        "_summary": (watched.housekeeper, "_summary", fail),
        "shares.look": (watched.service.shares, "look", fail),
        "keeper.loop.has_turned": (watched.service.keeper.loop, "has_turned", fail),
        "reload_if_changed": (watched.service, "reload_if_changed", fail_later),
    }
    if item != "shares.look":
        monkeypatch.setattr(watched.service.shares, "look", lambda: looked.append("shares"))
    monkeypatch.setattr(*broken[item])
    await watched.clock.advance(60)

    assert watched.housekeeper.ending is None
    assert caplog.text.count("defect_contained") == 1
    assert len(looked) == (0 if item == "shares.look" else 60 / LOOK_S)

    monkeypatch.undo()
    watched.heard()
    await watched.clock.advance(60)
    assert watched.heard().count("WATCHDOG=1") == 60 / LOOK_S
