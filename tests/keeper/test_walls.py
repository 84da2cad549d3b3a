"""Around each unit of the keeper's loop: whatever is raised in a flight, a turn, a verification or a listener
is that one's failure, leaves nothing behind, and is tried again.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from broker.core.credential import Credential, Secret
from broker.core.failures import Unavailable
from broker.core.feeds import Feed, FeedTable, Match, Realm, SlotKey
from broker.core.moment import Moment
from broker.core.refresh import RefreshPolicy, State
from broker.core.urls import parse_url
from broker.core.verdict import FeedAnswer, Verdict
from broker.host.clock import NAP_S
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_loop import ROUND_AT_ONCE
from broker.keeper.renewal_policy import RenewalPolicies
from broker.keeper.slot_entry import SlotEntry
from tests.fake_clock import FakeClock, settle
from tests.fake_provider import Gatekeeper, Issuer

CORP = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
LABS = Feed("labs", Realm("fake", "labs"), (parse_url("https://labs.example/simple/"),))


class BrokenClock(FakeClock):
    """Raises while `defects` says so."""

    defects = False
    naps_break = False

    def now(self) -> Moment:
        if self.defects:
            raise OverflowError("s3cret")
        return super().now()

    async def nap(self, seconds: float) -> None:
        if self.naps_break:
            raise OverflowError("s3cret")
        await super().nap(seconds)


@dataclass(frozen=True)
class BrokenPolicies(RenewalPolicies):
    """Has no rule for the feeds of these names."""

    broken: set[str] = field(default_factory=set)

    def of(self, feed: Feed) -> RefreshPolicy:
        if feed.name in self.broken:
            raise OverflowError("s3cret")
        return super().of(feed)


class House:
    """A keeper, and everything around it that may break."""

    def __init__(self) -> None:
        self.clock = BrokenClock()
        self.issuer = Issuer(self.clock)
        self.gatekeeper = Gatekeeper()
        self.policies = BrokenPolicies()
        self.draw_breaks = False
        self.obtained: object = None
        self.keeper = Keeper(
            clock=self.clock,
            table=FeedTable([CORP, LABS], lambda _: None, lambda _: None),
            providers={"fake": self.issuer},
            policies=self.policies,
            verify_at=self.gatekeeper,
            draw=self._draw,
        )
        self.loop: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Let the keeper's loop turn."""
        self.loop = asyncio.create_task(self.keeper.loop.run())
        await settle()

    @property
    def is_alive(self) -> bool:
        return self.loop is not None and not self.loop.done()

    def _draw(self) -> float:
        if self.draw_breaks:
            raise OverflowError("s3cret")
        return 0.0

    def entry(self, feed: Feed) -> SlotEntry:
        entry = self.keeper.slot_table.holding(feed)
        assert entry is not None
        return entry

    def state(self, feed: Feed) -> State:
        return self.entry(feed).slot.state(self.clock.now())

    def ask(self, feed: Feed, wait_s: float = 30.0) -> "asyncio.Task[Credential]":
        return asyncio.create_task(self.keeper.credential_for(Match(feed, feed.key(), "test"), wait_s))

    def obtains(self, outcome: Callable[[], object]) -> None:
        """Have the provider end with that."""

        async def obtain(feed: Feed, scope: str) -> object:
            self.issuer.asked.append(f"{feed.realm.authority} {scope}")
            await asyncio.sleep(0)
            return outcome()

        self.issuer.obtain = obtain  # type: ignore[method-assign,assignment]

    def heal(self) -> None:
        """Everything works again."""
        self.issuer.__dict__.pop("obtain", None)
        self.clock.defects = self.clock.naps_break = self.draw_breaks = False
        self.policies.broken.clear()

    @property
    def under_way(self) -> int:
        return self.keeper._single_flight.under_way


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    house.keeper.close()
    if house.loop is not None:
        house.loop.cancel()
    await settle()


def exit_now() -> None:
    raise SystemExit(1)


def give_up() -> None:
    raise asyncio.CancelledError


def fail() -> None:
    raise OverflowError("s3cret")


def naive(house: House) -> Credential:
    now = house.clock.now().wall.replace(tzinfo=None)
    return replace(CREDENTIAL, expires_at=now + timedelta(hours=1))


CREDENTIAL = Credential("u", Secret("t"), None, "test")

NO_TIME = Unavailable("come back later", retry_after_s=float("nan"))

DEFECTS: dict[str, Callable[[House], None]] = {
    "the provider raises": lambda house: house.obtains(fail),
    "the provider ends the process": lambda house: house.obtains(exit_now),
    "the provider gives itself up": lambda house: house.obtains(give_up),
    "the provider brings nothing": lambda house: house.obtains(lambda: None),
    "the provider brings an end without a zone": lambda house: house.obtains(lambda: naive(house)),
    "the service names no time": lambda house: house.obtains(lambda: (_ for _ in ()).throw(NO_TIME)),
    "the draw": lambda house: setattr(house, "draw_breaks", True),
    "the policy": lambda house: house.policies.broken.update({"corp", "labs"}),
}


@pytest.mark.parametrize("what", DEFECTS)
async def test_every_end_of_a_flight_clears_it_and_is_the_slots_failure(house: House, what: str) -> None:
    DEFECTS[what](house)
    await house.begin()
    with pytest.raises(Unavailable) as raised:
        await house.ask(CORP)
    await settle()

    assert re.fullmatch(
        r"a defect in token-broker \((\w+ in [\w.]+py line \d+|NoneType for a credential)\)",
        str(raised.value),
    )
    assert (house.entry(CORP).flight, house.under_way, house.state(CORP)) == (None, 0, State.FAILING)

    house.heal()
    await house.clock.advance(2 * NAP_S)
    assert house.state(CORP) is house.state(LABS) is State.FRESH
    assert house.is_alive


async def test_what_breaks_after_a_token_came_does_not_take_it_away(house: House) -> None:
    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise OverflowError(record.msg)

    broken = Broken()
    logging.getLogger("broker.keeper").addFilter(broken)
    try:
        await house.begin()
    finally:
        logging.getLogger("broker.keeper").removeFilter(broken)

    assert (house.entry(CORP).flight, house.under_way, house.state(CORP)) == (None, 0, State.FRESH)


async def test_a_flight_without_a_clock_ends_as_well(house: House) -> None:
    house.issuer.gate.clear()
    await house.begin()
    question = house.ask(CORP)
    await settle()
    house.clock.defects = True
    house.issuer.gate.set()
    await settle()

    assert (house.entry(CORP).flight, house.under_way) == (None, 0)

    house.heal()
    with contextlib.suppress(OverflowError):
        await question
    await house.clock.advance(2 * NAP_S)
    assert house.state(CORP) is State.FRESH
    assert house.is_alive


async def test_a_flight_that_was_given_up_lands_nowhere(house: House) -> None:
    async def stubborn(feed: Feed, scope: str) -> Credential:
        house.issuer.asked.append(f"{feed.name} {scope}")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return CREDENTIAL

    house.issuer.obtain = stubborn  # type: ignore[method-assign]
    question = house.ask(CORP)
    await settle()
    house.keeper.forget(CORP)
    house.heal()
    house.issuer.gate.clear()
    second = house.ask(CORP)
    await settle()

    assert house.state(CORP) is State.EMPTY
    assert house.entry(CORP).flight is not None
    with pytest.raises(Unavailable, match="given up"):
        await question
    house.issuer.gate.set()
    assert (await second).secret.reveal().startswith("token-")
    await settle()
    assert house.under_way == 0


async def test_one_slots_defect_does_not_stop_the_others(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.policies.broken.add("corp")
    await house.begin()
    await house.clock.advance(10 * NAP_S)

    assert house.state(LABS) is State.FRESH
    assert house.is_alive
    assert caplog.text.count("item=next step of fake:acme") == 1


async def test_who_cannot_be_put_in_line_does_not_stop_those_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = house.keeper._single_flight.start

    def broken(entry: SlotEntry) -> object:
        if entry.feed == CORP:
            fail()
        return start(entry)

    monkeypatch.setattr(house.keeper._single_flight, "start", broken)
    await house.begin()

    assert house.state(LABS) is State.FRESH
    assert house.is_alive


async def test_a_turn_survives_a_clock_that_breaks(house: House, caplog: pytest.LogCaptureFixture) -> None:
    await house.begin()
    house.clock.defects = house.clock.naps_break = True
    for _ in range(5):
        house.keeper.loop.has_turned()
        await settle()
    house.heal()
    house.keeper.loop.has_turned()
    await settle()

    assert house.keeper.loop.has_turned()
    assert house.is_alive
    assert caplog.text.count("item=turn") == caplog.text.count("item=nap") == 1


async def test_a_listener_that_raises_hurts_no_other(house: House, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def broken(feed: Feed) -> None:
        raise OverflowError(feed.name)

    for listener in (broken, lambda feed: heard.append(feed.name), broken):
        house.keeper.news.subscribe(listener)
    await house.begin()

    assert heard == ["corp", "labs"]
    assert (house.state(CORP), house.state(LABS)) == (State.FRESH, State.FRESH)
    assert caplog.text.count("defect_contained item=listener") == 1


@pytest.mark.parametrize("defect", [OverflowError("s3cret"), asyncio.CancelledError()])
async def test_a_verification_that_breaks_proves_nothing_and_is_made_again(
    house: House, defect: BaseException
) -> None:
    async def broken(feed: Feed, credential: Credential) -> FeedAnswer:
        del feed, credential
        await asyncio.sleep(0)
        raise defect

    house.keeper._verifier._verify_at = broken
    await house.begin()

    match = Match(CORP, CORP.key(), "test")
    assert house.entry(CORP).verifying == {}
    assert house.keeper.last_answer(match).verdict is Verdict.UNKNOWN
    assert house.keeper.held(match, house.clock.now()) is not None

    house.keeper._verifier._verify_at = house.gatekeeper
    assert await house.keeper.verify(match) is Verdict.ACCEPTED


async def test_a_dropped_verification_does_not_hide_the_one_after_it(house: House) -> None:
    match = Match(CORP, CORP.key(), "test")
    house.gatekeeper.gate.clear()
    await house.begin()
    house.keeper.forget(CORP)
    house.keeper.held(match, house.clock.now())
    await house.ask(CORP)
    await settle()

    assert set(house.entry(CORP).verifying) == {"corp"}


async def test_a_large_round_lets_others_have_their_turn(house: House) -> None:
    feeds = [
        replace(
            LABS, name=f"f{n}", realm=Realm("fake", f"r{n}"), prefixes=(parse_url(f"https://f{n}.example/"),)
        )
        for n in range(2 * ROUND_AT_ONCE + 1)
    ]
    house.keeper.adopt(
        FeedTable(feeds, lambda _: None, lambda _: None), {"fake": house.issuer}, house.policies
    )
    house.issuer.gate.clear()
    looked: list[SlotKey] = []
    monitored: list[int] = []
    look_at = house.keeper.loop.look_at

    def counted(entry: SlotEntry, now: Moment, *, is_changed: bool = False) -> None:
        looked.append(entry.slot.key)
        look_at(entry, now, is_changed=is_changed)

    async def watch() -> None:
        for _ in range(40):
            await asyncio.sleep(0)
            monitored.append(len(looked))

    house.keeper.loop.look_at = counted  # type: ignore[method-assign]
    watching = asyncio.create_task(watch())
    await house.begin()
    await watching

    assert sorted(set(monitored) - {0}) == [ROUND_AT_ONCE, 2 * ROUND_AT_ONCE, 2 * ROUND_AT_ONCE + 1]
    assert set(looked) == {feed.key() for feed in feeds}
