"""An hour without the service that hands tokens out, whatever becomes of each attempt: what is held is served
at once, the service is asked seldom, and its return is noticed.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from broker.core.credential import Credential, Secret
from broker.core.failures import Refused, SignInNeeded, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.refresh import HOLD_FAILING_S, HOLD_REFUSED_S
from broker.core.urls import parse_url
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_policy import RenewalPolicies
from broker.providers.recognise.services import recognise
from tests.fake_clock import FakeClock, settle
from tests.fake_provider import Gatekeeper, Issuer

CORP = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
MATCH = Match(CORP, CORP.key(), "test")
HOUR_S = 3600
CALLS_MAX = 80
RETURN_S = 300

FAILURES: dict[str, Exception] = {
    "cannot be reached": Unavailable(
        "no network"
    ),  # resets, refuses, breaks, shows a page, wrong certificate
    "wants to be left alone for a second": Unavailable("429", retry_after_s=1),
    "wants to be asked at once": Unavailable("429", retry_after_s=0),
    "wants to be left alone for a day": Unavailable("429", retry_after_s=86400),
    "says no": Refused("forbidden"),
    "wants a person": SignInNeeded("signed out"),
    "breaks the provider": RuntimeError("TBKTEST"),
    "never answers": TimeoutError(),  # what FLIGHT_LIMIT_S makes of it
}
PATIENT = {"says no", "wants a person", "wants to be left alone for a day"}
"""What is not asked again by itself, or not soon: a service's own wish is obeyed up to an hour."""

ENDED = "hands out what has ended"


@dataclass
class Service(Issuer):
    """An issuer that can be out of order."""

    outage: str | None = None

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        if self.outage is None:
            return await super().obtain(feed, scope)
        self.asked.append(self.outage)
        if self.outage == ENDED:
            return Credential("u", Secret("ended"), self.clock.now().wall - timedelta(seconds=60), "fake")
        raise FAILURES[self.outage].with_traceback(None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def service(clock: FakeClock) -> Service:
    return Service(clock, life_s=2 * HOUR_S)


@pytest.fixture
async def keeper(clock: FakeClock, service: Service) -> AsyncIterator[Keeper]:
    """A keeper that holds a token, which is about to be replaced."""
    keeper = Keeper(
        clock=clock,
        table=FeedTable([CORP], recognise, lambda _: None),
        providers={"fake": service},
        policies=RenewalPolicies(),
        verify_at=Gatekeeper(),
        draw=lambda: 0.0,
    )
    loop = asyncio.create_task(keeper.loop.run())
    await clock.advance(2990)
    yield keeper
    keeper.close()
    loop.cancel()
    await settle()


async def password(keeper: Keeper) -> str:
    return (await keeper.credential_for(MATCH, 30.0)).secret.reveal()


@pytest.mark.parametrize("outage", [*FAILURES, ENDED])
async def test_an_hours_outage_is_noticed_by_no_look_up_and_asks_eighty_times_at_most(
    keeper: Keeper, service: Service, clock: FakeClock, outage: str
) -> None:
    before, service.outage = len(service.asked), outage
    at_once = []
    for _ in range(HOUR_S // 60):
        await clock.advance(60)
        at_once.append(keeper.held(MATCH, keeper.clock.now()))  # never waits: it is no coroutine

    assert {held.secret.reveal() for held in at_once if held is not None} == {"token-1"}
    assert None not in at_once
    assert 0 < service.asked.count(outage) == len(service.asked) - before <= CALLS_MAX


@pytest.mark.parametrize("outage", [*FAILURES, ENDED])
async def test_after_an_outage_a_refresh_fetches_at_once(
    keeper: Keeper, service: Service, clock: FakeClock, outage: str
) -> None:
    service.outage = outage
    await clock.advance(HOUR_S)
    service.outage = None
    await keeper.refresh(MATCH)

    assert await password(keeper) == f"token-{len(service.asked)}"


@pytest.mark.parametrize("outage", sorted({*FAILURES, ENDED} - {"wants to be left alone for a day"}))
async def test_after_an_outage_that_outlasted_the_token_the_first_look_up_brings_the_next(
    keeper: Keeper, service: Service, clock: FakeClock, outage: str
) -> None:
    service.outage = outage
    await clock.advance(2 * HOUR_S)
    assert keeper.held(MATCH, keeper.clock.now()) is None
    service.outage = None
    if outage == "wants a person":
        service.mark = "signed in again"
    elif outage == "says no":
        await clock.advance(HOLD_REFUSED_S)  # for so long the last attempt's reason is answered
    else:
        await clock.advance(HOLD_FAILING_S)

    assert (await password(keeper)).startswith("token-")


@pytest.mark.parametrize("outage", sorted({*FAILURES, ENDED} - PATIENT))
async def test_after_an_outage_nobody_has_to_ask(
    keeper: Keeper, service: Service, clock: FakeClock, outage: str
) -> None:
    service.outage = outage
    await clock.advance(HOUR_S)
    last = len(service.asked)
    while len(service.asked) == last:  # it returns just after it was asked
        await clock.advance(1)
    service.outage = None
    await clock.advance(RETURN_S)

    held = keeper.held(MATCH, keeper.clock.now())
    assert held is not None
    assert held.secret.reveal() != "token-1"
