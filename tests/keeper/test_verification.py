"""Tokens in use are tried again: how often, what a no costs, and what look-ups get meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.core.credential import Credential
from broker.core.failures import Refused, SignInNeeded, Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.refresh import AWAITED_FOR_S, AWAITED_S, HOLD_REFUSED_S, RefreshPolicy
from broker.core.urls import parse_url
from broker.core.verdict import RETRY_S, FeedAnswer, Verdict
from broker.host.clock import NAP_S
from broker.keeper.keeper import Keeper
from broker.keeper.provider_guard import BesideTheLoop, at_once
from broker.keeper.recheck import GAP_S, IN_USE_S, SETTLE_S, SPREAD_S
from broker.keeper.renewal_policy import RenewalPolicies
from broker.keeper.verification import UNASKED_AT_ONCE
from broker.providers.recognise.services import recognise
from tests.fake_clock import FakeClock, settle
from tests.fake_provider import Gatekeeper, Issuer

CORP = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
TOOLS = replace(CORP, name="tools", prefixes=(parse_url("https://feed.example/tools/simple/"),))
LABS = Feed("labs", Realm("fake", "labs"), (parse_url("https://labs.example/simple/"),))

Start = Callable[..., Awaitable[Keeper]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock, life_s=None)


@pytest.fixture
def gatekeeper() -> Gatekeeper:
    return Gatekeeper()


@pytest.fixture
async def start(clock: FakeClock, issuer: Issuer, gatekeeper: Gatekeeper) -> AsyncIterator[Start]:
    """A keeper that runs, each of its feeds having a token that was tried."""
    running: list[tuple[Keeper, asyncio.Task[None]]] = []

    async def started(*feeds: Feed, aside: BesideTheLoop = at_once) -> Keeper:
        keeper = Keeper(
            clock=clock,
            table=FeedTable(feeds, recognise, lambda _: feeds[0]),
            providers={"fake": issuer},
            policies=RenewalPolicies(configured=RefreshPolicy(ttl_s=1e6)),
            verify_at=gatekeeper,
            draw=lambda: 0.0,
            aside=aside,
        )
        running.append((keeper, asyncio.create_task(keeper.loop.run())))
        await settle()
        gatekeeper.heard.clear()
        return keeper

    yield started
    for keeper, loop in running:
        keeper.close()
        loop.cancel()
    await settle()


def ask(keeper: Keeper, feed: Feed) -> "asyncio.Task[Credential]":
    return asyncio.create_task(keeper.credential_for(Match(feed, feed.key(), "test"), 30))


async def answered(question: Awaitable[Credential]) -> str:
    return (await question).secret.reveal()


async def test_three_hundred_look_ups_in_a_row_cost_one_more_request(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    await clock.advance(RETRY_S)
    for _ in range(300):
        assert await answered(ask(keeper, CORP)) == "token-1"
        await clock.advance(RETRY_S / 301)

    assert gatekeeper.heard == ["corp token-1"]


async def test_a_feed_that_is_asked_for_is_tried_each_fifteen_seconds_and_never_sooner(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    for _ in range(60):
        await clock.advance(1)
        await ask(keeper, CORP)
    await settle()

    assert len(gatekeeper.heard) == 60 / RETRY_S


async def test_feeds_that_share_a_token_take_turns_within_its_one_request(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP, TOOLS)
    await ask(keeper, TOOLS)  # never tried there yet
    await settle()
    gatekeeper.heard.clear()
    for _ in range(4):
        await clock.advance(RETRY_S)
        await ask(keeper, CORP)
        await ask(keeper, TOOLS)
        await settle()

    assert sorted(gatekeeper.heard) == ["corp token-1"] * 2 + ["tools token-1"] * 2


async def test_nothing_is_tried_while_nobody_asks(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    await ask(keeper, CORP)
    await clock.advance(3600)

    assert gatekeeper.heard == []


async def test_a_look_up_soon_after_a_try_is_followed_by_another_try_when_its_time_has_come(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    """The run that met a revocation may be the only one for hours: the next one shall not fail, too."""
    keeper = await start(CORP)
    await clock.advance(1)
    await ask(keeper, CORP)
    await clock.advance(RETRY_S - 2)
    before = list(gatekeeper.heard)
    await clock.advance(3600)

    assert before == []
    assert gatekeeper.heard == ["corp token-1"]


async def test_a_look_up_never_waits_for_the_try_of_a_token_in_use(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    await clock.advance(RETRY_S)
    gatekeeper.gate.clear()

    assert keeper.held(Match(CORP, CORP.key(), "test"), clock.now()) is not None
    assert await answered(ask(keeper, CORP)) == "token-1"


async def test_a_feed_with_verify_off_is_never_tried_in_use(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    silent = replace(CORP, verify=False)
    keeper = await start(silent)
    await clock.advance(RETRY_S)
    await ask(keeper, silent)
    await settle()

    assert gatekeeper.heard == []


async def test_claims_of_a_401_go_with_the_next_fetch_and_no_other(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    handed_on: list[str] = []

    async def obtain_with(feed: Feed, scope: str, claims: str) -> Credential:
        handed_on.append(claims)
        return await issuer.obtain(feed, scope)

    vars(issuer)["obtain_with"] = obtain_with
    keeper = await start(CORP, TOOLS)
    await clock.advance(RETRY_S)
    gatekeeper.words = [FeedAnswer(Verdict.UNAUTHORISED, '{"a":1}')]
    await ask(keeper, CORP)
    await settle()
    await keeper.refresh(Match(TOOLS, TOOLS.key(), "test"))

    assert handed_on == ['{"a":1}']
    assert len(issuer.asked) == 3


async def test_what_a_person_brings_is_noticed_within_seconds_and_later_within_half_a_minute(
    start: Start, issuer: Issuer, clock: FakeClock
) -> None:
    for missing_s, within_s in ((100.0, AWAITED_S), (2 * AWAITED_FOR_S, NAP_S)):
        issuer.failure, issuer.mark = SignInNeeded("the secret is missing", hint="cat > pw"), "none"
        keeper = await start(replace(CORP, name=f"f{missing_s:.0f}"))
        await clock.advance(missing_s)
        before = len(issuer.asked)
        issuer.failure, issuer.mark = None, "there"
        await clock.advance(within_s)

        assert len(issuer.asked) == before + 1
        assert keeper.slot_table.count(clock.now())[0] == 1
        keeper.close()


async def test_a_feed_that_waits_for_a_person_costs_no_attempt_and_later_no_wake_up(
    start: Start, issuer: Issuer, clock: FakeClock
) -> None:
    issuer.failure, issuer.mark = SignInNeeded("the secret is missing", hint="cat > pw"), "none"
    keeper = await start(CORP)
    await clock.advance(2 * AWAITED_FOR_S)

    assert len(issuer.asked) == 1
    assert not keeper.awaits_person()


async def test_a_revoked_token_costs_one_look_up_and_one_fetch(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    for number in range(1, 21):
        await clock.advance(RETRY_S)
        gatekeeper.words = [Verdict.UNAUTHORISED]

        assert await answered(ask(keeper, CORP)) == f"token-{number}"  # the one failed run
        await settle()
        assert await answered(ask(keeper, CORP)) == f"token-{number + 1}"

    assert len(issuer.asked) == 21


async def test_look_ups_wait_for_the_token_that_replaces_a_rejected_one(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    await clock.advance(RETRY_S)
    gatekeeper.words = [Verdict.UNAUTHORISED]
    issuer.gate.clear()
    await ask(keeper, CORP)
    await settle()
    question = ask(keeper, CORP)
    await settle()
    assert not question.done()
    issuer.gate.set()

    assert await answered(question) == "token-2"


@pytest.mark.parametrize("failure", [Unavailable("down"), SignInNeeded("signed out", hint="az login")])
async def test_a_rejected_token_is_not_served_where_no_other_can_be_had(
    start: Start,
    issuer: Issuer,
    gatekeeper: Gatekeeper,
    clock: FakeClock,
    failure: Unavailable | SignInNeeded,
) -> None:
    keeper = await start(CORP)
    await clock.advance(RETRY_S)
    gatekeeper.words = [Verdict.UNAUTHORISED]
    issuer.failure = failure
    await ask(keeper, CORP)
    await settle()

    with pytest.raises(type(failure), match=str(failure)):
        await ask(keeper, CORP)
    issuer.failure, issuer.mark = None, "signed in again"
    await clock.advance(HOLD_REFUSED_S)
    assert await answered(ask(keeper, CORP)) == f"token-{len(issuer.asked)}"


async def test_a_feed_that_goes_on_saying_401_has_no_service_asked_before_the_time_it_named(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    silent = replace(TOOLS, verify=False)
    keeper = await start(CORP, silent)
    await clock.advance(RETRY_S)
    gatekeeper.words = [Verdict.UNAUTHORISED] * 100
    issuer.failure = Unavailable("busy", retry_after_s=600)
    for _ in range(30):
        with contextlib.suppress(Unavailable):
            await ask(keeper, CORP)
        await ask(keeper, silent)  # with the same token, which is good there
        await settle()
        await clock.advance(RETRY_S)

    assert len(issuer.asked) == 2


async def test_a_token_that_comes_again_from_its_source_is_refused_with_the_feeds_word(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    issuer.same = True
    keeper = await start(CORP)
    await clock.advance(RETRY_S)
    gatekeeper.words = [Verdict.UNAUTHORISED] * 2
    await ask(keeper, CORP)
    await settle()

    with pytest.raises(Refused, match=r"does not accept .* from fake \(401\)"):
        await ask(keeper, CORP)
    assert len(issuer.asked) == 2


async def test_a_feed_that_is_asked_says_what_it_says_to_a_newly_fetched_token(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper
) -> None:
    keeper = await start(CORP)
    gatekeeper.words = [Verdict.UNAUTHORISED]

    assert await keeper.verify(Match(CORP, CORP.key(), "test")) is Verdict.ACCEPTED
    assert len(issuer.asked) == 2


async def test_a_feed_that_is_asked_and_says_no_twice_is_heard(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper
) -> None:
    keeper = await start(CORP)
    gatekeeper.words = [Verdict.UNAUTHORISED] * 2

    with pytest.raises(Refused, match="not even a newly fetched one"):
        await keeper.verify(Match(CORP, CORP.key(), "test"))
    assert len(issuer.asked) == 2


async def test_a_feed_that_refused_a_secret_is_asked_about_the_one_in_its_place(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper
) -> None:
    issuer.mark = "the wrong one"
    keeper = await start(CORP)
    match = Match(CORP, CORP.key(), "test")
    gatekeeper.words = [Verdict.FORBIDDEN]
    with pytest.raises(Refused):
        await keeper.verify(match)
    issuer.mark = "the right one"

    assert await keeper.verify(match) is Verdict.ACCEPTED
    assert len(issuer.asked) == 2


async def test_an_unreachable_feed_takes_nothing_back(start: Start, gatekeeper: Gatekeeper) -> None:
    keeper = await start(CORP)
    match = Match(CORP, CORP.key(), "test")
    for word in (Verdict.ACCEPTED, Verdict.UNKNOWN, Verdict.FORBIDDEN, Verdict.UNKNOWN):
        gatekeeper.words = [word]
        with contextlib.suppress(Refused):
            await keeper.verify(match)
        assert keeper.last_answer(match).verdict is word


async def test_a_token_that_came_while_another_was_tried_is_tried_too(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    await clock.advance(RETRY_S)
    gatekeeper.gate.clear()
    gatekeeper.words = [Verdict.UNAUTHORISED]
    await ask(keeper, CORP)
    await settle()
    await keeper.refresh(Match(CORP, CORP.key(), "test"))
    gatekeeper.gate.set()
    await settle()

    assert gatekeeper.heard == ["corp token-1", "corp token-2"]
    assert await answered(ask(keeper, CORP)) == "token-2"


@pytest.mark.parametrize("what", ["network", "suspend", "clock set forward", "clock set back"])
async def test_after_the_ground_moved_each_token_in_use_is_tried_once(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock, what: str
) -> None:
    keeper = await start(CORP, LABS)
    await ask(keeper, CORP)
    match what:
        case "network":
            for _ in range(5):
                keeper.ground_moved("network")
        case "suspend":
            clock.suspend(7200)
        case "clock set forward":
            clock.set_wall(7200)
        case "clock set back":
            clock.set_wall(-7200)
    await clock.advance(60)

    assert gatekeeper.heard == ["corp token-1"]


async def test_after_the_ground_moved_tries_are_spread_and_over_in_time(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    crowd = [replace(LABS, name=f"f{n}", realm=Realm("fake", f"r{n}")) for n in range(40)]
    keeper = await start(*crowd)
    await clock.advance(60)
    gatekeeper.heard.clear()
    for feed in crowd:
        keeper.held(Match(feed, feed.key(), "test"), clock.now())
    await settle()
    gatekeeper.heard.clear()

    keeper.ground_moved("network")
    await clock.advance(SETTLE_S + GAP_S)
    begun = len(gatekeeper.heard)
    await clock.advance(SPREAD_S)

    assert 0 < begun < 40
    assert sorted(heard.split()[0] for heard in gatekeeper.heard) == sorted(feed.name for feed in crowd)


async def test_an_address_that_comes_and_goes_costs_hardly_more_than_the_interval(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    await ask(keeper, CORP)
    for _ in range(600):
        keeper.ground_moved("network")
        await clock.advance(1)
    flapping = len(gatekeeper.heard)
    await clock.advance(60)
    gatekeeper.heard.clear()
    keeper.ground_moved("network")
    await clock.advance(3)

    assert flapping <= 600 / RETRY_S + 5
    assert gatekeeper.heard == ["corp token-1"]


async def test_a_token_that_nobody_used_for_a_day_is_left_alone_when_the_ground_moves(
    start: Start, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    keeper = await start(CORP)
    await ask(keeper, CORP)
    await clock.advance(IN_USE_S)
    keeper.ground_moved("network")
    await clock.advance(10)

    assert gatekeeper.heard == []


MANY = [
    Feed(f"f{n}", Realm("fake", f"r{n}"), (parse_url(f"https://f{n}.example/simple/"),)) for n in range(100)
]


async def test_feeds_that_none_asked_for_are_tried_a_few_at_a_time(
    start: Start, clock: FakeClock, gatekeeper: Gatekeeper
) -> None:
    gatekeeper.gate.clear()
    keeper = await start(*MANY)
    await clock.advance(NAP_S)
    begun = sum(len(entry.verifying) for entry in keeper.slot_table)

    await ask(keeper, MANY[-1])
    await settle()
    asked = [name for entry in keeper.slot_table for name in entry.verifying]
    gatekeeper.gate.set()
    await clock.advance(NAP_S)

    assert begun == UNASKED_AT_ONCE
    assert asked[-1] == MANY[-1].name
    assert all(entry.verifications for entry in keeper.slot_table)


async def test_a_token_that_came_after_a_refusal_is_not_refused_before_it_was_tried(
    start: Start, clock: FakeClock, issuer: Issuer, gatekeeper: Gatekeeper
) -> None:
    feeds = MANY[: UNASKED_AT_ONCE + 1]
    keeper, last = await start(*feeds), feeds[-1]
    await clock.advance(NAP_S)
    gatekeeper.words = [Verdict.FORBIDDEN]
    with pytest.raises(Refused):
        await keeper.verify(Match(last, last.key(), "test"))

    gatekeeper.gate.clear()
    issuer.mark = "the right one for all, who stand in line to be tried"
    while len(issuer.asked) < 2 * len(feeds):
        await clock.advance(NAP_S)
    answer = ask(keeper, last)
    await settle()
    gatekeeper.gate.set()

    assert len(issuer.asked) == 2 * len(feeds)
    assert (await answer).secret.reveal()


@pytest.mark.parametrize(
    ("changed", "heard"),
    [
        ({"verify": False}, []),
        ({"prefixes": (parse_url("https://feed.example/other/simple/"),)}, ["corp token-2"]),
    ],
)
async def test_a_refusal_is_of_the_address_where_it_was_met(
    start: Start, issuer: Issuer, gatekeeper: Gatekeeper, changed: dict[str, Any], heard: list[str]
) -> None:
    gatekeeper.words = [Verdict.UNAUTHORISED] * 2
    keeper = await start(CORP)
    with pytest.raises(Refused):
        await ask(keeper, CORP)
    other = replace(CORP, **changed)
    keeper.adopt(FeedTable([other], recognise, lambda _: other), {"fake": issuer}, keeper.policies)

    assert await answered(ask(keeper, other)) == "token-2"
    await settle()
    assert gatekeeper.heard == heard


class SlowDisk:
    """Looks at files at once; the answer to the next look comes once `gate` is open."""

    def __init__(self) -> None:
        self.gate: asyncio.Event | None = None

    async def __call__(self, work: Callable[[], Any], limit_s: float) -> Any:  # noqa: ANN401 - any work's
        assert limit_s
        seen, (gate, self.gate) = work(), (self.gate, None)
        if gate is not None:
            await gate.wait()
        return seen


async def test_a_look_up_that_looks_at_a_replaced_secret_gets_what_landed_meanwhile(
    start: Start, gatekeeper: Gatekeeper, issuer: Issuer
) -> None:
    """A reload's own turn fetches with the new secret while the look-up still looks at its place."""
    disk, gate = SlowDisk(), asyncio.Event()
    gatekeeper.words = [Verdict.UNAUTHORISED, Verdict.UNAUTHORISED]
    keeper = await start(CORP, aside=disk)
    issuer.mark, disk.gate = "replaced", gate
    question = ask(keeper, CORP)
    await settle()
    await keeper.renew_realm(CORP.realm)
    gate.set()

    assert await answered(question) == "token-3"
    assert len(issuer.asked) == 3


@pytest.mark.parametrize("second", [None, SignInNeeded("nobody")])
async def test_a_look_up_that_looks_at_a_new_sign_in_gets_what_landed_meanwhile(
    start: Start, issuer: Issuer, second: SignInNeeded | None
) -> None:
    disk, gate = SlowDisk(), asyncio.Event()
    issuer.failure = Refused("the old sign-in is refused")
    keeper = await start(CORP, aside=disk)
    issuer.failure, issuer.mark, disk.gate = second, "signed in again", gate
    question = ask(keeper, CORP)
    await settle()
    await keeper.renew_realm(CORP.realm)
    gate.set()

    if second is None:
        assert await answered(question) == "token-2"
    else:
        with pytest.raises(SignInNeeded, match="nobody"):
            await question
    assert len(issuer.asked) == 2
