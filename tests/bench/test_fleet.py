"""What a fleet does to its identity service: 300 simulated brokers, which behave as real ones do."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bench.fleet import DAY_S, HOUR_S, MIDNIGHT, MINUTE_S, Fleet, Habits, IdentityService, Workday, naive
from broker.core.credential import Credential
from broker.core.failures import NotObtained
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.urls import parse_url
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_policy import RenewalPolicies
from tests.fake_clock import FakeClock
from tests.fake_provider import Gatekeeper, Issuer

BROKERS = 300
ONE_SECOND = Habits(agents=0, arrive_s=0.999, runs=1, lookups=1)
"""All ask for the first time in the same second."""

BEGIN_S = ONE_SECOND.begin_s
OUTAGE = (14.0 * HOUR_S, 15.0 * HOUR_S)
FEED = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))


def lived(
    habits: Habits, service: IdentityService, draw: Callable[[], float] | None = None, until_s: float = DAY_S
) -> Fleet:
    fleet = Fleet(habits.days(BROKERS), service, draw=draw)
    fleet.run(until_s)
    return fleet


def seeded() -> Callable[[], float]:
    return random.Random(7).random  # noqa: S311 - jitter that comes out the same twice


def busiest_minute(service: IdentityService, from_s: float, to_s: float) -> int:
    return max(service.total(second, second + MINUTE_S) for second in range(int(from_s), int(to_s)))


def test_those_who_began_in_one_second_are_renewed_over_minutes() -> None:
    service, rigid = IdentityService(), IdentityService()

    lived(ONE_SECOND, service, until_s=BEGIN_S + 2 * HOUR_S)
    lived(ONE_SECOND, rigid, draw=lambda: 0.0, until_s=BEGIN_S + 2 * HOUR_S)

    second_hour = BEGIN_S + MINUTE_S, BEGIN_S + 2 * HOUR_S
    assert busiest_minute(rigid, *second_hour) == BROKERS
    assert busiest_minute(service, *second_hour) <= BROKERS / 3


def test_a_working_day_costs_fewer_calls_than_look_ups_and_has_a_lower_peak() -> None:
    habits, plugin, ours = Habits(), IdentityService(), IdentityService()

    naive(habits.days(BROKERS), plugin)
    fleet = lived(habits, ours)

    assert fleet.unanswered == 0
    assert ours.total() * 4 <= plugin.total()
    assert ours.peak() * 5 <= plugin.peak()


@pytest.fixture(scope="module")
def through_an_outage() -> tuple[IdentityService, Fleet]:
    """The day of people without agents, in which the service is away for an hour."""
    service = IdentityService(outage=OUTAGE)
    return service, lived(Habits(agents=0), service)


def test_an_outage_is_asked_seldom_and_answered_for_as_long_as_tokens_live(
    through_an_outage: tuple[IdentityService, Fleet],
) -> None:
    service, fleet = through_an_outage

    refused = naive(Habits(agents=0).days(BROKERS), IdentityService(outage=OUTAGE))

    assert service.total(*OUTAGE) <= 20 * BROKERS
    assert 0 < fleet.unanswered < refused / 3


def test_the_end_of_an_outage_is_no_herd(through_an_outage: tuple[IdentityService, Fleet]) -> None:
    service, _ = through_an_outage

    back = OUTAGE[1], OUTAGE[1] + 15 * MINUTE_S
    assert service.total(*back) >= BROKERS / 2
    assert busiest_minute(service, *back) <= BROKERS / 2


def test_those_who_were_sent_away_together_do_not_come_back_together() -> None:
    service = IdentityService(most_per_s=10, retry_after_s=30)

    lived(ONE_SECOND, service, until_s=BEGIN_S + 30 * MINUTE_S)

    assert service.peak(BEGIN_S + 1, BEGIN_S + 30 * MINUTE_S) <= BROKERS / 10
    assert service.last_s(BEGIN_S + 30 * MINUTE_S) - BEGIN_S <= 3 * MINUTE_S


@dataclass
class Client(Issuer):
    """A provider whose tokens come from the simulated service."""

    service: IdentityService = field(default_factory=IdentityService)

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - one for all
        outcome = self.service.answer(self.clock.now().boot_s - MIDNIGHT.boot_s)
        if isinstance(outcome, NotObtained):
            raise outcome
        return outcome


async def test_a_simulated_broker_calls_when_a_real_keeper_does() -> None:
    begin_s, end_s, outage = 1000.0, 5.0 * HOUR_S, (2.0 * HOUR_S, 3.0 * HOUR_S)
    lookups = [begin_s, 2.9 * HOUR_S, 2.9 * HOUR_S + 7, 4.0 * HOUR_S]
    simulated = IdentityService(outage=outage, takes_s=0)
    Fleet([Workday(begin_s, DAY_S, lookups)], simulated, draw=seeded()).run(end_s)

    clock, real = FakeClock(MIDNIGHT), IdentityService(outage=outage, takes_s=0)
    keeper = Keeper(
        clock=clock,
        table=FeedTable([FEED], lambda _: None, lambda _: None),
        providers={"fake": Client(clock, service=real)},
        policies=RenewalPolicies(),
        verify_at=Gatekeeper(),
        draw=seeded(),
    )
    await clock.advance(begin_s)
    running = asyncio.create_task(keeper.loop.run())
    for at_s in lookups:
        await clock.advance(at_s - (clock.now().boot_s - MIDNIGHT.boot_s))
        with contextlib.suppress(NotObtained):
            await keeper.credential_for(Match(FEED, FEED.key(), "test"), 30.0)
    await clock.advance(end_s - lookups[-1])
    keeper.close()
    running.cancel()

    assert simulated.total(*outage) > 10
    assert real.calls == simulated.calls
