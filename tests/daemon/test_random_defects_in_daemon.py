"""Random exceptions wherever a reload and a round of housekeeping call out: the daemon goes on, its former
configuration stays whole, and once they cease the one on the disk is in force and served.
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import cast

import pytest

from broker.api.backend import About
from broker.config.files import ROLES, ConfigFiles, LayerText
from broker.config.model import Role
from broker.core.credential import Credential
from broker.core.failures import BadConfiguration
from broker.core.feeds import Feed, Match
from broker.daemon.housekeeping import Housekeeper
from broker.daemon.runtime import Runtime
from broker.host.aside import Found
from broker.host.sd_notify import Notifier
from broker.providers.basic import BasicProvider
from broker.providers.protocol import ProviderContext
from broker.server.bound_socket import BoundSocket
from tests.fake_clock import START, settle_quickly
from tests.keeper.test_random_defects import HEALED_S, Chaos, ChaoticClock

FEED = """
[[feed]]
name = "{name}"
url = "https://{name}.example/simple/"
provider = "basic"
username = "u"
secret = "env:SECRET"
verify = false
"""

NAMES = ("one", "two", "three")


class MemoryFiles(ConfigFiles):
    """A configuration that is no file, and that sometimes cannot be read."""

    def __init__(self, chaos: Chaos) -> None:
        super().__init__(None, None, Path("/nowhere/config.toml"))
        object.__setattr__(self, "chaos", chaos)
        self.write(NAMES[:1])

    chaos: Chaos
    names: tuple[str, ...]
    number: int = 0

    def write(self, names: tuple[str, ...]) -> None:
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "number", self.number + 1)

    def read(self, roles: Collection[Role] = ROLES) -> list[LayerText]:
        del roles
        self.chaos.may_raise()
        return [LayerText("user", self.user, "".join(FEED.format(name=name) for name in self.names))]

    def stamps(self) -> Hashable:
        self.chaos.may_raise()
        return self.number


class Surroundings:
    """The socket, the service manager and the installation, each of which sometimes fails."""

    is_managers = True

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos

    def is_lost(self) -> bool:
        self._chaos.may_raise()
        return self._chaos.random.random() < self._chaos.share

    async def renew_socket(self) -> None:
        self._chaos.may_raise()

    def stamps(self) -> Hashable:
        self._chaos.may_raise()
        return 0

    def watchdog_interval_s(self) -> float | None:
        self._chaos.may_raise()
        return None

    def _hear(self, *_: object) -> None:
        self._chaos.may_raise()

    ready = status = reloading = alive = _hear
    path = Path("/nowhere/broker.sock")


def provider_among(chaos: Chaos) -> Callable[[ProviderContext], BasicProvider]:
    """The class of a provider that sometimes cannot be made, read or asked."""

    class ChaoticProvider(BasicProvider):
        def __init__(self, context: ProviderContext) -> None:
            chaos.may_raise()
            super().__init__(context)

        def username(self, settings: object) -> str | None:
            chaos.may_raise()
            return super().username(settings)  # type: ignore[arg-type]

        async def obtain(self, feed: Feed, scope: str) -> Credential:
            chaos.may_raise(cancels=True)
            return await super().obtain(feed, scope)

    return ChaoticProvider


class Household:
    """A daemon without its server, among chaos."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chaos = chaos = Chaos(seed)
        self.clock = ChaoticClock(chaos)
        self.files = MemoryFiles(chaos)
        around = Surroundings(chaos)
        self.runtime = Runtime(
            About("0", 1, str(folder / "broker.sock"), None, START),
            self.files,
            clock=self.clock,
            environ={"SECRET": "s"},
            classes=(provider_among(chaos),),  # type: ignore[arg-type]
            aside=self._aside,
        )
        self.housekeeper = Housekeeper(
            self.runtime,
            cast("BoundSocket", around),
            clock=self.clock,
            notifier=cast("Notifier", around),
            idle_exit_s=None,
            stamps=around.stamps,
            renew_socket=around.renew_socket,
        )
        self.tasks = [
            asyncio.create_task(self.runtime.keeper.loop.run()),
            asyncio.create_task(self.housekeeper.run()),
        ]

    async def _aside(self, work: Callable[[], Found], limit_s: float) -> Found:
        del limit_s
        self.chaos.may_raise()
        await asyncio.sleep(0)
        if self.chaos.random.random() < self.chaos.share:
            raise TimeoutError
        return work()

    async def reload(self) -> None:
        """As `brokerctl reload` asks for it, beside the housekeeper."""
        reloading = asyncio.ensure_future(self.runtime.reload())
        await self.clock.advance(10)
        assert reloading.done()
        if not isinstance(reloading.exception(), BadConfiguration | None):
            assert self.chaos.share  # a defect is told to who asked

    def served(self) -> set[str]:
        keeper, now = self.runtime.keeper, self.clock.now()
        feeds = keeper.slot_table.feeds()
        return {feed.name for feed in feeds if keeper.held(Match(feed, feed.key(), "test"), now)}

    def check(self) -> None:
        """What holds between any two rounds."""
        assert not [task for task in self.tasks if task.done()]
        assert self.housekeeper.ending is None
        table = self.runtime.keeper.slot_table
        assert {entry.feed.name for entry in table} == {feed.name for feed in table.table.feeds}


async def lived_through(seed: int, folder: Path) -> None:
    """One daemon's life: some minutes of chaos, then peace."""
    house = Household(seed, folder)
    chaos = house.chaos
    await settle_quickly()
    chaos.share = chaos.random.choice((0.02, 0.1, 0.5, 1.0))
    for _ in range(4):
        match chaos.random.randrange(4):
            case 0:
                house.files.write(NAMES[: chaos.random.randrange(4)])
            case 1:
                await house.reload()
            case 2:
                house.housekeeper.reload()
            case _:
                pass
        await house.clock.advance(chaos.random.choice((0.5, 31.0)))
        house.check()
    chaos.share = 0.0
    house.housekeeper.reload()
    await house.clock.advance(HEALED_S)
    house.check()
    assert (house.runtime.fault, house.runtime.reload_failure) == (None, None)
    assert house.served() == set(house.files.names), "not what is on the disk"
    for task in house.tasks:
        task.cancel()
    await house.runtime.close()
    await settle_quickly()


@pytest.mark.parametrize("lives", [30, pytest.param(10_000, marks=pytest.mark.long)])
async def test_a_daemon_lives_through_random_defects(
    lives: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("broker.keeper", "broker.suppliers", "broker.trials", "broker.service", "broker.caretaker"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    monkeypatch.setattr("broker.host.clock.AFTER_DEFECT_S", 0.0)
    for seed in range(lives):
        try:
            await lived_through(seed, tmp_path)
        except Exception as defect:
            raise AssertionError(f"life {seed}") from defect
        if seed % 100 == 0:
            gc.unfreeze()  # each reload freezes what there is
