"""Random exceptions at every step that the keeper calls or waits for: it goes on, nothing is left behind,
no token in hand is lost, and once they cease every feed is served.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from broker.core.credential import Credential
from broker.core.failures import NotObtained, Refused, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.moment import Moment
from broker.core.refresh import HOLD_REFUSED_S, RefreshPolicy
from broker.core.urls import parse_url
from broker.core.verdict import FeedAnswer, Verdict
from broker.host.clock import NAP_S
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_policy import RenewalPolicies
from tests.fake_clock import FakeClock, settle_quickly
from tests.fake_provider import Issuer

FEEDS = [
    Feed(f"f{n}", Realm("fake", f"r{n % 3}"), (parse_url(f"https://f{n}.example/simple/"),)) for n in range(4)
]
ADDED = Feed("added", Realm("fake", "added"), (parse_url("https://added.example/simple/"),))

DEFECTS: tuple[Callable[[], BaseException], ...] = (
    OverflowError,
    RecursionError,
    MemoryError,
    lambda: KeyError("s3cret"),
    lambda: Unavailable("for now", retry_after_s=float("nan")),
    lambda: Refused("no"),
    asyncio.CancelledError,
)

HEALED_S = 400.0
"""A failing feed is asked again after 5 minutes at most."""


class Chaos:
    """Raises at random, in a share of all steps, while it lasts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same chaos each time
        self.share = 0.0

    def may_raise(self, *, cancels: bool = False) -> None:
        if self.random.random() < self.share:
            defect = self.random.choice(DEFECTS)()
            if isinstance(defect, asyncio.CancelledError) and not cancels:
                return
            raise defect


class ChaoticClock(FakeClock):
    """Sometimes cannot tell the time."""

    def __init__(self, chaos: Chaos) -> None:
        super().__init__()
        self.chaos = chaos

    async def settle(self) -> None:
        await settle_quickly()

    def now(self) -> Moment:
        self.chaos.may_raise()
        return super().now()


@dataclass
class ChaoticIssuer(Issuer):
    """Sometimes cannot do what it is asked for."""

    chaos: Chaos | None = None

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        assert self.chaos is not None
        self.chaos.may_raise(cancels=True)
        await asyncio.sleep(0)
        self.chaos.may_raise(cancels=True)
        return await super().obtain(feed, scope)

    def sign_in_fingerprint(self, feed: Feed) -> str:
        assert self.chaos is not None
        self.chaos.may_raise()
        return feed.name


@dataclass(frozen=True)
class ChaoticPolicies(RenewalPolicies):
    """Sometimes has no rule."""

    chaos: Chaos | None = None

    def of(self, feed: Feed) -> RefreshPolicy:
        assert self.chaos is not None
        self.chaos.may_raise()
        return super().of(feed)


class House:
    """A keeper among chaos."""

    def __init__(self, seed: int) -> None:
        self.chaos = chaos = Chaos(seed)
        self.clock = ChaoticClock(chaos)
        self.issuer = ChaoticIssuer(self.clock, chaos=chaos)
        self.policies = ChaoticPolicies(chaos=chaos)
        self.feeds = list(FEEDS)
        self.keeper = Keeper(
            clock=self.clock,
            table=FeedTable(self.feeds, lambda _: None, lambda _: None),
            providers={"fake": self.issuer},
            policies=self.policies,
            verify_at=self._verify,
            draw=self._draw,
            judged=lambda _feed, _verdict: chaos.may_raise(),
        )
        self.keeper.news.subscribe(lambda _: chaos.may_raise())
        self.loop = asyncio.create_task(self.keeper.loop.run())

    async def _verify(self, feed: Feed, credential: Credential) -> FeedAnswer:
        del feed, credential
        self.chaos.may_raise(cancels=True)
        await asyncio.sleep(0)
        self.chaos.may_raise(cancels=True)
        return FeedAnswer(self.chaos.random.choice(tuple(Verdict)) if self.chaos.share else Verdict.ACCEPTED)

    def _draw(self) -> float:
        self.chaos.may_raise()
        return self.chaos.random.random()

    async def ask(self, feed: Feed) -> None:
        try:
            await asyncio.wait_for(self.keeper.credential_for(Match(feed, feed.key(), "test"), 0), 1)
        except (NotObtained, OverflowError, RecursionError, MemoryError, KeyError):
            return  # a look-up may read the broken clock itself

    async def reload(self) -> None:
        feeds = [*FEEDS, ADDED] if self.chaos.random.random() < 0.5 else list(FEEDS)
        table = FeedTable(feeds, lambda _: None, lambda _: None)
        try:
            self.keeper.adopt(table, {"fake": self.issuer}, self.policies)
        except (NotObtained, OverflowError, RecursionError, MemoryError, KeyError):
            return  # refused; the former configuration stays
        self.feeds = feeds

    def held(self) -> set[str]:
        table = self.keeper.slot_table
        return {feed.name for feed in FEEDS if (entry := table.holding(feed)) and entry.slot.held is not None}

    def check(self) -> None:
        """What holds at every moment at which everything that can go on has gone on."""
        assert not self.loop.done()
        flights = [entry.flight for entry in self.keeper.slot_table if entry.flight is not None]
        assert not [flight for flight in flights if flight.done()]
        assert self.keeper._single_flight.under_way == len(flights)
        tasks = [task for entry in self.keeper.slot_table for task in entry.verifying.values()]
        assert not [task for task in tasks if task.done()]


async def lived_through(seed: int) -> None:
    """One keeper's life: some minutes of chaos, then peace."""
    house = House(seed)
    chaos = house.chaos
    chaos.share = chaos.random.choice((0.0, 0.02, 0.1, 0.5, 1.0))
    for _ in range(6):
        held = house.held()
        match chaos.random.randrange(7):
            case 0 | 1:
                await house.ask(chaos.random.choice(house.feeds))
            case 2:
                await house.reload()
            case 3:
                house.keeper.ground_moved("network")
            case 4:
                house.clock.suspend(chaos.random.choice((-45.0, 45.0)))
            case _:
                await house.clock.advance(chaos.random.choice((0.5, 31.0, 600.0)))
        await settle_quickly()
        house.check()
        assert held <= house.held(), "a token was lost"
    chaos.share = 0.0
    house.keeper.loop.has_turned()
    await house.clock.advance(HEALED_S + 2 * NAP_S)
    for feed in house.feeds:  # a refusal is tried anew when someone asks, HOLD_REFUSED_S after the last time
        await house.ask(feed)
    await house.clock.advance(HOLD_REFUSED_S)
    for feed in house.feeds:
        await house.ask(feed)
    house.check()
    now = house.clock.now()
    for feed in house.feeds:
        assert house.keeper.held(Match(feed, feed.key(), "test"), now) is not None, (
            f"{feed.name} is not served"
        )
    house.keeper.close()
    house.loop.cancel()
    await settle_quickly()
    assert house.keeper._single_flight.under_way == 0


@pytest.mark.parametrize("lives", [50, pytest.param(10_000, marks=pytest.mark.long)])
async def test_a_keeper_lives_through_random_defects(lives: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("broker.keeper", "broker.suppliers", "broker.trials"):  # tens of thousands of tracebacks
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    monkeypatch.setattr("broker.host.clock.AFTER_DEFECT_S", 0.0)
    for seed in range(lives):
        try:
            await lived_through(seed)
        except Exception as defect:
            raise AssertionError(f"life {seed}") from defect
