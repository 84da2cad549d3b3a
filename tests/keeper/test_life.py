"""Long lives by a fake clock: no second in which an ended token is handed out, no crowd at the services."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.credential import Credential, Secret
from broker.core.failures import Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm, SlotKey
from broker.core.moment import Moment
from broker.core.refresh import (
    RefreshNow,
    RefreshPolicy,
    Serve,
    Slot,
    after_failure,
    after_success,
    next_step,
    on_lookup,
)
from broker.core.urls import parse_url
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_policy import RenewalPolicies
from broker.providers.recognise.services import recognise
from tests.fake_clock import START, FakeClock, settle
from tests.fake_provider import Gatekeeper, Issuer

HOUR_S, DAY_S = 3600, 86400
FEEDS = 200
DOWN = Unavailable("down")


@dataclass
class Weather:
    """What happens in each second: the lid is closed, somebody sets the clock, the service is down or up."""

    closes: dict[int, int] = field(default_factory=dict)
    sets: dict[int, int] = field(default_factory=dict)
    is_down: frozenset[int] = frozenset()


@st.composite
def weathers(draw: st.DrawFn) -> Weather:
    second = st.integers(0, 2 * HOUR_S)
    begin, length = draw(second), draw(st.integers(0, 2 * HOUR_S))
    return Weather(
        closes=draw(st.dictionaries(second, st.integers(1, 2 * HOUR_S), max_size=2)),
        sets=draw(st.dictionaries(second, st.sampled_from([-HOUR_S, -60, 60, HOUR_S]), max_size=3)),
        is_down=frozenset(range(begin, begin + length)),
    )


@dataclass
class Desk:
    """One slot, looked at in each second of a life; `ends_s` are the tokens' true ends since boot."""

    life_s: float
    slot: Slot = field(default_factory=lambda: Slot(SlotKey(Realm("fake", "acme"), "default", "read", "x")))
    ends_s: dict[str, float] = field(default_factory=dict)

    def look(self, now: Moment, jitter: float, *, is_down: bool) -> bool:
        """Renew as the keeper would, and ask: whether a token was handed out, which must be alive."""
        policy = RefreshPolicy()
        if isinstance(next_step(self.slot, policy, now, now), RefreshNow):
            if is_down:
                self.slot = after_failure(self.slot, DOWN, now, jitter)
            else:
                self.slot = after_success(self.slot, self._issue(now), policy, now, jitter)
        step = on_lookup(self.slot, now)
        if not isinstance(step, Serve):
            return False
        assert now.boot_s < self.ends_s[step.credential.secret.reveal()]
        assert step.credential.expires_at is not None
        assert now.wall < step.credential.expires_at
        return True

    def _issue(self, now: Moment) -> Credential:
        text = f"t{len(self.ends_s)}"
        self.ends_s[text] = now.boot_s + self.life_s
        return Credential("u", Secret(text), now.wall + timedelta(seconds=self.life_s), "fake")


@settings(max_examples=12, deadline=None, derandomize=True)
@given(weathers(), st.sampled_from([60.0, 600.0, 3600.0, 86400.0]), st.integers(0, 999))
def test_in_no_second_is_an_ended_token_handed_out(weather: Weather, life_s: float, seed: int) -> None:
    desk, now, dice = Desk(life_s), START, random.Random(seed)  # noqa: S311 - the same for the same seed
    for second in range(3 * HOUR_S):
        now = now.after(1 + weather.closes.get(second, 0))
        if second in weather.sets:
            now = now._replace(wall=now.wall + timedelta(seconds=weather.sets[second]))
        desk.look(now, dice.random(), is_down=second in weather.is_down)


def test_a_service_that_is_up_leaves_no_second_without_a_token() -> None:
    desk, now, dice = Desk(3600.0), START, random.Random(8)  # noqa: S311 - the same each time

    answered = [desk.look(now.after(second), dice.random(), is_down=False) for second in range(DAY_S // 4)]

    assert all(answered)


@dataclass
class Clerk(Issuer):
    """An issuer that writes down when each realm's tokens were fetched, in seconds since boot."""

    fetched: dict[str, list[float]] = field(default_factory=dict)

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        self.fetched.setdefault(feed.name, []).append(self.clock.now().boot_s)
        return await super().obtain(feed, scope)


def feeds() -> list[Feed]:
    return [
        Feed(f"f{number}", Realm("fake", f"r{number}"), (parse_url(f"https://f{number}.example/"),))
        for number in range(FEEDS)
    ]


@asynccontextmanager
async def keeping(clock: FakeClock, clerk: Clerk) -> AsyncIterator[Keeper]:
    """A keeper of all the feeds, its loop running."""
    dice = random.Random(8)  # noqa: S311 - the same each time
    keeper = Keeper(
        clock=clock,
        table=FeedTable(feeds(), recognise, lambda _: None),
        providers={"fake": clerk},
        policies=RenewalPolicies(),
        verify_at=Gatekeeper(),
        draw=dice.random,
    )
    loop = asyncio.create_task(keeper.loop.run())
    await settle()
    yield keeper
    keeper.close()
    loop.cancel()
    await settle()


def renewals(clerk: Clerk) -> Iterator[tuple[float, float]]:
    """Every fetch but each feed's first: when, and how long after the one before."""
    for moments in clerk.fetched.values():
        yield from zip(moments[1:], (after - before for before, after in pairwise(moments)), strict=True)


def most_in_a_second(moments: list[float]) -> int:
    moments = sorted(moments)
    most, first = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 0.999999:  # a second, as floats have it
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("days", [0.1, pytest.param(30, marks=pytest.mark.long)])
async def test_two_hundred_feeds_are_renewed_in_time_and_never_in_a_crowd(days: float) -> None:
    clock = FakeClock()
    clerk = Clerk(clock)
    async with keeping(clock, clerk):
        await clock.advance(days * DAY_S)

    moments, waits = zip(*renewals(clerk), strict=True)
    assert len(clerk.fetched) == FEEDS
    assert FEEDS * days * DAY_S / 3000 <= len(moments) + FEEDS <= FEEDS * (1 + days * DAY_S / 2700)
    assert min(waits) >= 2700
    assert max(waits) <= 3010
    assert most_in_a_second(list(moments)) <= 5


@pytest.mark.parametrize("days", [0.03, pytest.param(2, marks=pytest.mark.long)])
async def test_through_closed_lids_and_wrong_clocks_no_ended_token_is_handed_out(days: float) -> None:
    clock, dice = FakeClock(), random.Random(20)  # noqa: S311 - the same each time
    clerk = Clerk(clock)
    outcomes: Counter[bool] = Counter()
    async with keeping(clock, clerk) as keeper:
        matches = [Match(feed, feed.key(), "test") for feed in keeper.slot_table.feeds()]
        for _ in range(int(days * DAY_S / 600)):
            await clock.advance(dice.choice([29, 571]))
            match dice.randrange(6):
                case 0:
                    clock.suspend(2 * HOUR_S)
                case 1:
                    clock.set_wall(dice.choice([-HOUR_S, HOUR_S]))
                case 2:
                    clerk.failure = None if clerk.failure else DOWN
            for each in matches:
                credential = keeper.held(each, keeper.clock.now())
                outcomes[credential is not None] += 1
                if credential is not None:
                    number = int(credential.secret.reveal().removeprefix("token-"))
                    assert credential.expires_at is not None
                    assert clock.now().wall < credential.expires_at
                    assert number <= len(clerk.asked)

    assert outcomes[True] > outcomes[False]
