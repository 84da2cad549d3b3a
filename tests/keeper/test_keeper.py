"""The keeper with a clock that stands still: flights, waits, renewals, drops, trials, reloads."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from broker.core.credential import Credential
from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import (
    PUBLISH,
    Ambiguous,
    Feed,
    FeedTable,
    Match,
    NoMatch,
    NoRoom,
    Realm,
    Recognised,
)
from broker.core.learned_feeds import LEARNED_MAX
from broker.core.refresh import HOLD_REFUSED_S, RefreshPolicy, State
from broker.core.urls import parse_url
from broker.core.verdict import Verdict
from broker.host.clock import NAP_S
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_loop import BACKGROUND_FLIGHTS
from broker.keeper.renewal_policy import RenewalPolicies
from broker.keeper.slot_table import LEARNED_GONE_S
from broker.providers.recognise.services import recognise
from tests.fake_clock import FakeClock, settle
from tests.fake_provider import Gatekeeper, Issuer

CORP = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
TOOLS = replace(CORP, name="tools", prefixes=(parse_url("https://feed.example/tools/simple/"),))
LABS = Feed("labs", Realm("fake", "labs"), (parse_url("https://labs.example/simple/"),))


def learn(recognised: Recognised) -> Feed:
    return Feed("learned", Realm("fake", recognised.realm.authority), recognised.prefixes, configured=False)


Make = Callable[..., Keeper]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
def gatekeeper() -> Gatekeeper:
    return Gatekeeper()


@pytest.fixture
async def make(clock: FakeClock, issuer: Issuer, gatekeeper: Gatekeeper) -> AsyncIterator[Make]:
    keepers: list[tuple[Keeper, asyncio.Task[None] | None]] = []

    def made(*feeds: Feed, runs: bool = False, policies: RenewalPolicies | None = None) -> Keeper:
        keeper = Keeper(
            clock=clock,
            table=FeedTable(feeds, recognise, learn),
            providers={"fake": issuer},
            policies=policies or RenewalPolicies(),
            verify_at=gatekeeper,
            draw=lambda: 0.0,
        )
        keepers.append((keeper, asyncio.create_task(keeper.loop.run()) if runs else None))
        return keeper

    yield made
    for keeper, loop in keepers:
        keeper.close()
        if loop is not None:
            loop.cancel()
    await settle()


def ask(keeper: Keeper, feed: Feed, wait_s: float = 30.0) -> "asyncio.Task[Credential]":
    return asyncio.create_task(keeper.credential_for(Match(feed, feed.key(), "test"), wait_s))


async def answered(question: Awaitable[Credential]) -> str:
    return (await question).secret.reveal()


def state(keeper: Keeper, feed: Feed) -> State:
    entry = keeper.slot_table.holding(feed)
    assert entry is not None
    return entry.slot.state(keeper.clock.now())


async def test_a_thousand_first_questions_fetch_once(make: Make, issuer: Issuer) -> None:
    keeper = make(CORP)
    issuer.gate.clear()
    questions = [ask(keeper, CORP) for _ in range(1000)]
    await settle()
    issuer.gate.set()

    answers = {await answered(question) for question in questions}

    assert answers == {"token-1"}
    assert len(issuer.asked) == 1


async def test_a_caller_that_goes_away_does_not_end_the_flight_of_the_others(
    make: Make, issuer: Issuer
) -> None:
    keeper = make(CORP)
    issuer.gate.clear()
    gone, stays = ask(keeper, CORP), ask(keeper, CORP)
    await settle()
    gone.cancel()
    issuer.gate.set()

    assert await answered(stays) == "token-1"
    assert len(issuer.asked) == 1


async def test_feeds_of_one_realm_share_one_fetch(make: Make, issuer: Issuer) -> None:
    keeper = make(CORP, TOOLS)

    assert await answered(ask(keeper, CORP)) == await answered(ask(keeper, TOOLS))
    assert len(issuer.asked) == 1


async def test_the_first_failed_flight_ends_every_wait_on_it(make: Make, issuer: Issuer) -> None:
    keeper = make(CORP)
    issuer.gate.clear()
    issuer.failure = Refused("no right")
    questions = [ask(keeper, CORP) for _ in range(10)]
    await settle()
    issuer.gate.set()

    for question in questions:
        with pytest.raises(Refused, match="no right"):
            await question
    assert len(issuer.asked) == 1


async def test_a_wait_that_is_too_short_says_so_and_leaves_the_flight_alone(
    make: Make, issuer: Issuer
) -> None:
    keeper = make(CORP)
    issuer.gate.clear()

    with pytest.raises(Unavailable, match="still trying"):
        await ask(keeper, CORP, wait_s=0)

    issuer.gate.set()
    assert await answered(ask(keeper, CORP)) == "token-1"
    assert len(issuer.asked) == 1


async def test_configured_feeds_are_fetched_before_anybody_asks(make: Make, issuer: Issuer) -> None:
    make(CORP, LABS, runs=True)
    await settle()

    assert issuer.asked == ["acme read", "labs read"]


async def test_the_loop_starts_few_flights_at_once_and_all_in_the_end(make: Make, issuer: Issuer) -> None:
    feeds = [
        replace(
            LABS, name=f"f{n}", realm=Realm("fake", f"r{n}"), prefixes=(parse_url(f"https://f{n}.example/"),)
        )
        for n in range(3 * BACKGROUND_FLIGHTS)
    ]
    issuer.gate.clear()
    make(*feeds, runs=True)
    await settle()
    at_once = len(issuer.asked)
    issuer.gate.set()
    await settle()

    assert at_once == BACKGROUND_FLIGHTS
    assert len(issuer.asked) == len(feeds)


async def test_a_token_is_replaced_at_its_ttl_and_the_old_one_served_meanwhile(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    await settle()
    issuer.gate.clear()
    await clock.advance(3001)

    assert len(issuer.asked) == 2
    assert await answered(ask(keeper, CORP)) == "token-1"

    issuer.gate.set()
    await settle()
    assert await answered(ask(keeper, CORP)) == "token-2"


async def test_a_half_used_token_is_replaced_before_its_own_end(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    issuer.life_s = 600
    make(CORP, runs=True)
    await clock.advance(541)

    assert len(issuer.asked) == 2


async def test_an_early_renewal_that_gets_the_same_token_does_not_spin(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    await settle()
    ends = clock.now().wall + timedelta(seconds=3600)
    first = await ask(keeper, CORP)

    async def obtain(feed: Feed, scope: str) -> Credential:
        issuer.asked.append(f"{feed.name} {scope}")
        return first if clock.now().wall < ends else replace(first, expires_at=ends + timedelta(hours=1))

    issuer.obtain = obtain  # type: ignore[method-assign]
    await clock.advance(3600)

    assert 2 <= len(issuer.asked) <= 9
    assert state(keeper, CORP) is State.FRESH


async def test_with_the_service_down_the_held_token_is_served_to_its_end_and_no_longer(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    await settle()
    issuer.failure = Unavailable("login.microsoftonline.com cannot be reached", hint="brokerctl doctor")
    await clock.advance(3599)
    assert await answered(ask(keeper, CORP)) == "token-1"
    assert state(keeper, CORP) is State.FAILING

    await clock.advance(2)
    with pytest.raises(Unavailable, match="cannot be reached") as raised:
        await ask(keeper, CORP)
    assert raised.value.hint == "brokerctl doctor"


async def test_recovery_follows_the_first_attempt_that_succeeds(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    issuer.failure = Unavailable("down")
    await clock.advance(20)
    issuer.failure = None
    await clock.advance(60)

    assert state(keeper, CORP) is State.FRESH


async def test_a_missing_sign_in_is_not_tried_again_until_its_files_change(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    issuer.failure = SignInNeeded("signed out", hint="az login")
    await clock.advance(3600)
    with pytest.raises(SignInNeeded):
        await ask(keeper, CORP)
    tries_while_signed_out = len(issuer.asked)

    issuer.failure, issuer.mark = None, "signed in again"
    assert await answered(ask(keeper, CORP)) == "token-2"
    assert tries_while_signed_out == 1


async def test_a_secret_that_nobody_can_watch_is_looked_for_again_after_half_a_minute(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    issuer.failure, issuer.mark = SignInNeeded("the keyring has no password"), None
    await clock.advance(100)
    with pytest.raises(SignInNeeded):
        await ask(keeper, CORP)
    issuer.failure = None
    with pytest.raises(SignInNeeded):
        await ask(keeper, CORP)

    await clock.advance(HOLD_REFUSED_S)

    assert await answered(ask(keeper, CORP)) == "token-3"


async def test_a_secret_that_is_replaced_during_an_attempt_is_taken_up_by_the_next_look_up(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    issuer.failure = SignInNeeded("signed out")
    issuer.gate.clear()
    await clock.advance(100)
    issuer.mark = "replaced too late for the attempt under way"
    issuer.gate.set()
    await clock.advance(0)

    issuer.failure = None
    assert await answered(ask(keeper, CORP)) == "token-2"


async def test_a_call_that_always_changes_its_own_files_is_repeated_once(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    make(CORP, runs=True)
    issuer.failure = SignInNeeded("signed out")
    issuer.marks_own_calls = True
    await clock.advance(100)

    await clock.advance(3600)

    assert len(issuer.asked) == 2


async def test_a_sign_in_is_noticed_by_itself_within_a_nap(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    issuer.failure = SignInNeeded("signed out")
    await clock.advance(100)
    issuer.failure, issuer.mark = None, "signed in again"
    await clock.advance(NAP_S)

    assert state(keeper, CORP) is State.FRESH


async def test_a_changed_account_list_makes_a_fresh_slot_due(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    make(CORP, runs=True)
    await clock.advance(100)
    issuer.mark = "somebody else"
    await clock.advance(NAP_S)

    assert len(issuer.asked) == 2


async def test_a_definite_sign_out_drops_the_token(make: Make, issuer: Issuer, clock: FakeClock) -> None:
    keeper = make(CORP, runs=True)
    await clock.advance(100)
    issuer.failure, issuer.mark = SignInNeeded("signed out", drops_token=True), "nobody"
    await clock.advance(NAP_S)

    with pytest.raises(SignInNeeded):
        await ask(keeper, CORP)


async def test_a_lid_that_was_closed_costs_a_nap_at_most(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    await clock.advance(60)
    clock.suspend(7200)
    await clock.advance(NAP_S)

    assert state(keeper, CORP) is State.FRESH
    assert len(issuer.asked) == 2


async def test_the_first_question_after_a_suspend_never_gets_the_ended_token(
    make: Make, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    await clock.advance(60)
    clock.suspend(7200)

    assert await answered(ask(keeper, CORP)) == "token-2"


async def test_a_question_for_a_due_token_starts_its_renewal_before_the_loop_does(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP)
    await ask(keeper, CORP)
    clock.suspend(3300)

    assert await answered(ask(keeper, CORP)) == "token-1"
    await settle()
    assert await answered(ask(keeper, CORP)) == "token-2"
    assert len(issuer.asked) == 2


async def test_forget_drops_the_token_and_the_next_question_fetches_anew(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True)
    await settle()
    keeper.forget(CORP)
    await clock.advance(600)
    assert state(keeper, CORP) is State.EMPTY
    assert len(issuer.asked) == 1

    assert await answered(ask(keeper, CORP)) == "token-2"


async def test_forget_ends_the_flight_under_way_and_those_who_wait_are_told(
    make: Make, issuer: Issuer
) -> None:
    keeper = make(CORP)
    issuer.gate.clear()
    question = ask(keeper, CORP)
    await settle()
    keeper.forget_all()

    with pytest.raises(Unavailable, match="was given up"):
        await question


async def test_refresh_replaces_a_fresh_token(make: Make) -> None:
    keeper = make(CORP, runs=True)
    await settle()
    await keeper.refresh(Match(CORP, CORP.key(), "test"))

    assert await answered(ask(keeper, CORP)) == "token-2"


async def test_refresh_says_why_it_failed(make: Make, issuer: Issuer) -> None:
    keeper = make(CORP)
    issuer.failure = Refused("bad secret")

    with pytest.raises(Refused, match="bad secret"):
        await keeper.refresh(Match(CORP, CORP.key(), "test"))


async def test_a_publish_question_has_a_slot_of_its_own(make: Make, issuer: Issuer) -> None:
    keeper = make(CORP)
    await ask(keeper, CORP)
    await keeper.credential_for(Match(CORP, CORP.key("publish"), "upload"), 30)

    assert issuer.asked == ["acme read", "acme publish"]


async def test_a_reload_keeps_the_tokens_of_feeds_that_did_not_change(make: Make, issuer: Issuer) -> None:
    keeper = make(CORP, LABS, runs=True)
    await settle()
    keeper.adopt(
        FeedTable([replace(CORP, name="renamed")], recognise, learn), {"fake": issuer}, RenewalPolicies()
    )
    await settle()

    assert await answered(ask(keeper, replace(CORP, name="renamed"))) == "token-1"
    assert keeper.slot_table.holding(LABS) is None
    assert len(issuer.asked) == 2


async def test_a_defect_in_a_provider_is_a_failure_and_not_the_end(
    make: Make, issuer: Issuer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = make(CORP, runs=True)
    issuer.defect = RuntimeError("TBKTEST-secret")
    await settle()
    with pytest.raises(Unavailable, match="RuntimeError"):
        await ask(keeper, CORP)
    issuer.defect = None
    await clock.advance(60)

    assert state(keeper, CORP) is State.FRESH
    assert "RuntimeError" in caplog.text
    assert "TBKTEST" not in caplog.text


async def test_an_unconfigured_feed_is_learned_once_and_renewed(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(runs=True)
    match = keeper.slot_table.find(
        parse_url("https://pkgs.dev.azure.com/acme/_packaging/a/pypi/simple/"), None
    )
    again = keeper.slot_table.find(
        parse_url("https://pkgs.dev.azure.com/acme/_packaging/b/pypi/simple/"), None
    )
    assert isinstance(match, Match)
    assert isinstance(again, Match)
    await keeper.credential_for(match, 30)
    await keeper.credential_for(again, 30)
    await clock.advance(3001)

    assert [feed.name for feed in keeper.slot_table.feeds()] == ["learned"]
    assert len(issuer.asked) == 2


async def test_a_learned_feed_without_a_credential_is_gone_after_an_hour(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(runs=True)
    issuer.failure = SignInNeeded("nobody")
    match = keeper.slot_table.find(
        parse_url("https://pkgs.dev.azure.com/acme/_packaging/a/pypi/simple/"), None
    )
    assert isinstance(match, Match)
    with pytest.raises(SignInNeeded):
        await keeper.credential_for(match, 30)
    await clock.advance(LEARNED_GONE_S + NAP_S)

    assert not list(keeper.slot_table.feeds())


async def test_an_idle_learned_feed_is_not_renewed(make: Make, issuer: Issuer, clock: FakeClock) -> None:
    keeper = make(runs=True)
    match = keeper.slot_table.find(
        parse_url("https://pkgs.dev.azure.com/acme/_packaging/a/pypi/simple/"), None
    )
    assert isinstance(match, Match)
    await keeper.credential_for(match, 30)
    await clock.advance(13 * 3600)
    calls = len(issuer.asked)
    await clock.advance(13 * 3600)

    assert len(issuer.asked) == calls


async def test_feeds_are_counted_as_the_status_shows_them(
    make: Make, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    gatekeeper.words = [Verdict.FORBIDDEN, Verdict.FORBIDDEN]
    keeper = make(CORP, TOOLS, LABS)
    counts = [keeper.slot_table.count(clock.now())]
    for feed in (CORP, LABS):
        await ask(keeper, feed)
        await settle()
        counts.append(keeper.slot_table.count(clock.now()))
    learned = keeper.slot_table.find(
        parse_url("https://pkgs.dev.azure.com/new/_packaging/a/pypi/simple/"), None
    )
    assert isinstance(learned, Match)
    await keeper.credential_for(learned, 30)
    counts.append(keeper.slot_table.count(clock.now()))

    # CORP was refused where TOOLS, which shares its credential, was not; LABS, which is alone, was refused
    assert counts == [(0, 3), (1, 3), (1, 3), (2, 4)]
    await clock.advance(3601)
    assert keeper.slot_table.count(clock.now()) == (0, 4)


async def test_learning_has_a_bound_that_is_told(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    keeper = make()
    for number in range(LEARNED_MAX):
        assert await learned(keeper, f"org{number}")

    found = [found_in(keeper, f"late{number}") for number in range(3)]

    assert len(list(keeper.slot_table.feeds())) == LEARNED_MAX
    assert [type(each) for each in found] == [NoRoom] * 3
    assert keeper.slot_table.no_room is not None
    assert keeper.slot_table.no_room.realm == Realm("fake", "late2")
    assert [each.message for each in caplog.records if "full" in each.message] == [
        f"learned_feeds_full realm=fake:late0 learned={LEARNED_MAX}"
    ]


async def test_the_users_organisation_takes_the_place_of_a_made_up_one(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(runs=True)
    assert await learned(keeper, "mine")
    issuer.failure = SignInNeeded("nobody has signed in")
    for number in range(2 * LEARNED_MAX):
        await clock.advance(1)
        assert not await learned(keeper, f"made-up-{number}")
    issuer.failure = None

    assert await learned(keeper, "also-mine")

    names = {feed.realm.authority for feed in keeper.slot_table.feeds()}
    assert {"mine", "also-mine", "made-up-127"} < names
    assert "made-up-0" not in names
    assert len(names) == LEARNED_MAX
    assert keeper.slot_table.no_room is None


async def test_no_realm_that_is_being_asked_for_gives_way(make: Make, issuer: Issuer) -> None:
    keeper = make()
    issuer.gate.clear()
    flying = [asyncio.create_task(learned(keeper, f"org{number}")) for number in range(LEARNED_MAX)]
    await settle()

    assert isinstance(found_in(keeper, "late"), NoRoom)
    issuer.failure = SignInNeeded("nobody has signed in")
    issuer.gate.set()
    await asyncio.gather(*flying)
    issuer.failure = None
    assert await learned(keeper, "late")


async def test_a_realm_whose_credential_was_forgotten_has_succeeded_all_the_same(
    make: Make, issuer: Issuer
) -> None:
    keeper = make()
    assert await learned(keeper, "mine")
    keeper.forget_all()
    issuer.failure = SignInNeeded("nobody has signed in")
    for number in range(LEARNED_MAX + 1):
        await learned(keeper, f"made-up-{number}")

    assert "mine" in {feed.realm.authority for feed in keeper.slot_table.feeds()}


async def test_a_realm_learned_by_its_upload_address_alone_does_not_stay_for_ever(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(runs=True)
    issuer.failure = SignInNeeded("nobody has signed in")
    await learned(keeper, "acme", "_packaging/corp/pypi/upload/")
    await clock.advance(LEARNED_GONE_S + 60)

    assert list(keeper.slot_table.feeds()) == []


def found_in(keeper: Keeper, organisation: str, path: str = "") -> Match | NoMatch | NoRoom | Ambiguous:
    return keeper.slot_table.find(parse_url(f"https://pkgs.dev.azure.com/{organisation}/{path}"), None)


async def learned(keeper: Keeper, organisation: str, path: str = "") -> bool:
    """Whether a look-up for the organisation, which no feed has, was answered."""
    match = found_in(keeper, organisation, path)
    assert isinstance(match, Match)
    try:
        await keeper.credential_for(match, 30)
    except NotObtained:
        return False
    return True


async def test_a_new_credential_is_tried_once(make: Make, gatekeeper: Gatekeeper, clock: FakeClock) -> None:
    keeper = make(CORP, runs=True)
    await settle()
    for _ in range(5):
        await ask(keeper, CORP)
    await clock.advance(600)

    assert gatekeeper.heard == ["corp token-1"]


async def test_a_feed_that_says_forbidden_is_refused_with_the_missing_right(
    make: Make, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    gatekeeper.words = [Verdict.FORBIDDEN]
    keeper = make(CORP, runs=True)
    await settle()

    with pytest.raises(Refused, match="no right to read"):
        await ask(keeper, CORP)

    await clock.advance(31)
    assert await answered(ask(keeper, CORP)) == "token-2"  # rights may be written into the token


async def test_a_forbidden_feed_does_not_stop_another_one_of_its_realm(
    make: Make, gatekeeper: Gatekeeper
) -> None:
    gatekeeper.words = [Verdict.FORBIDDEN]
    keeper = make(CORP, TOOLS, runs=True)
    await settle()

    assert await answered(ask(keeper, TOOLS)) == "token-1"


@pytest.mark.parametrize("same", [False, True])
async def test_a_feed_that_says_unauthorised_costs_one_new_fetch_and_never_more(
    make: Make, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock, same: bool
) -> None:
    gatekeeper.words = [Verdict.UNAUTHORISED] * 10
    issuer.same, issuer.life_s = same, None
    keeper = make(CORP, runs=True)
    await clock.advance(2000)

    assert len(issuer.asked) == 2
    with pytest.raises(Refused, match="does not accept"):
        await ask(keeper, CORP)


async def test_a_refused_secret_that_was_replaced_is_fetched_by_the_next_question(
    make: Make, issuer: Issuer, gatekeeper: Gatekeeper
) -> None:
    gatekeeper.words = [Verdict.UNAUTHORISED] * 2
    keeper = make(CORP, runs=True)
    await settle()
    with pytest.raises(Refused, match="does not accept"):
        await ask(keeper, CORP)
    issuer.mark = "replaced"

    assert await answered(ask(keeper, CORP)) == "token-3"


async def test_a_question_waits_for_the_feeds_word_about_a_refused_secrets_successor(
    make: Make, gatekeeper: Gatekeeper
) -> None:
    gatekeeper.words = [Verdict.FORBIDDEN]
    keeper = make(CORP, runs=True)
    await settle()
    gatekeeper.gate.clear()
    await keeper.refresh(Match(CORP, CORP.key(), "test"))
    question = ask(keeper, CORP)
    await settle()
    gatekeeper.gate.set()

    assert await answered(question) == "token-2"


async def test_a_refused_secret_that_cannot_be_watched_is_fetched_after_a_while(
    make: Make, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    gatekeeper.words = [Verdict.UNAUTHORISED] * 2
    issuer.mark = None
    keeper = make(CORP, runs=True)
    await settle()
    with pytest.raises(Refused, match="does not accept"):
        await ask(keeper, CORP)
    await clock.advance(HOLD_REFUSED_S)

    assert await answered(ask(keeper, CORP)) == "token-3"


async def test_a_refused_secret_that_has_gone_is_what_the_next_question_hears(
    make: Make, issuer: Issuer, gatekeeper: Gatekeeper
) -> None:
    gatekeeper.words = [Verdict.FORBIDDEN]
    keeper = make(CORP, runs=True)
    await settle()
    issuer.mark, issuer.failure = "gone", SignInNeeded("the file does not exist")

    with pytest.raises(SignInNeeded, match="does not exist"):
        await ask(keeper, CORP)


async def test_a_renewed_secret_that_is_the_same_is_tried_again(
    make: Make, issuer: Issuer, gatekeeper: Gatekeeper, clock: FakeClock
) -> None:
    issuer.same, issuer.life_s = True, None
    gatekeeper.words = [Verdict.ACCEPTED, *[Verdict.UNAUTHORISED] * 2]
    keeper = make(CORP, runs=True)
    await clock.advance(3001)

    assert gatekeeper.heard == ["corp token-1"] * 3
    with pytest.raises(Refused, match="does not accept"):
        await ask(keeper, CORP)


async def test_a_crowd_of_replaced_secrets_waits_for_its_turn_and_none_is_forgotten(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    crowd = [replace(CORP, name=f"f{n}", realm=Realm("fake", f"realm-{n}")) for n in range(12)]
    make(*crowd, runs=True)
    await settle()
    issuer.mark = "replaced"

    await clock.advance(NAP_S)
    for _ in range(5):
        await clock.advance(1)

    assert len(issuer.asked) == 24


async def test_a_watchdog_that_asks_does_not_put_off_what_is_due(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, runs=True, policies=RenewalPolicies(configured=RefreshPolicy(ttl_s=NAP_S + 2)))
    await settle()

    await clock.advance(NAP_S - 1)
    keeper.loop.has_turned()
    await clock.advance(3)

    assert len(issuer.asked) == 2


async def test_unreachable_proves_nothing(make: Make, gatekeeper: Gatekeeper) -> None:
    gatekeeper.words = [Verdict.UNKNOWN]
    keeper = make(CORP, runs=True)
    await settle()

    assert await answered(ask(keeper, CORP)) == "token-1"


async def test_a_feed_with_verify_off_is_never_tried(make: Make, gatekeeper: Gatekeeper) -> None:
    keeper = make(replace(CORP, verify=False), runs=True)
    await settle()
    await ask(keeper, replace(CORP, verify=False))
    await settle()

    assert gatekeeper.heard == []


async def test_each_change_of_state_is_told_once_to_those_who_listen(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    keeper = make(CORP, TOOLS, runs=True)
    told: list[str] = []
    keeper.news.subscribe(lambda feed: told.append(f"{feed.name} {state(keeper, feed)}"))
    await settle()
    issuer.failure = Unavailable("down")
    await clock.advance(3100)

    assert told == ["corp fresh", "tools fresh", "corp due", "tools due", "corp failing", "tools failing"]


async def test_an_hour_of_outage_costs_at_most_eighty_calls(
    make: Make, issuer: Issuer, clock: FakeClock
) -> None:
    issuer.life_s = 86400
    keeper = make(CORP, runs=True)
    await clock.advance(2990)
    issuer.failure = Unavailable("down")
    before = len(issuer.asked)
    await clock.advance(3600)

    assert len(issuer.asked) - before <= 80
    assert await answered(ask(keeper, CORP)) == "token-1"


async def test_a_realm_is_renewed_in_every_scope_after_what_was_under_way(make: Make, issuer: Issuer) -> None:
    keeper = make(CORP)
    publish = Match(CORP, CORP.key()._replace(scope=PUBLISH), "test")
    issuer.gate.clear()
    early = ask(keeper, CORP)
    await settle()
    keeper.slot_table.of(publish, keeper.clock.now())
    renewing = asyncio.create_task(keeper.renew_realm(CORP.realm))
    await settle()
    issuer.gate.set()
    await asyncio.gather(early, renewing)

    assert sorted(issuer.asked) == ["acme publish", "acme read", "acme read"]


async def test_forgetting_a_realm_leaves_the_others(make: Make) -> None:
    keeper = make(CORP, LABS, runs=True)
    await settle()
    keeper.forget_realm(CORP.realm)

    assert (state(keeper, CORP), state(keeper, LABS)) == (State.EMPTY, State.FRESH)


async def test_marks_that_cannot_be_read_do_not_end_the_loop(
    make: Make, issuer: Issuer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    make(CORP, runs=True)
    await settle()

    def broken(feed: Feed) -> None:
        raise KeyError(feed.name)

    issuer.sign_in_fingerprint = broken  # type: ignore[method-assign]
    await clock.advance(3001)

    assert len(issuer.asked) >= 2
    assert "provider_broken" in caplog.text


LOOPBACK = replace(
    CORP,
    name="devpi",
    realm=Realm("fake", "http://127.0.0.1:3141"),
    prefixes=(parse_url("http://127.0.0.1:3141/root/simple/"),),
)


async def test_plain_http_gets_no_credential_before_a_look_up(make: Make, gatekeeper: Gatekeeper) -> None:
    keeper = make(LOOPBACK, CORP, runs=True)
    match = keeper.slot_table.find(LOOPBACK.url, None)
    assert isinstance(match, Match)

    await settle()
    await keeper.refresh(match)
    await settle()
    unasked = list(gatekeeper.heard)
    await ask(keeper, LOOPBACK)
    await settle()

    assert [heard.split()[0] for heard in unasked] == ["corp"]
    assert [heard.split()[0] for heard in gatekeeper.heard] == ["corp", "devpi"]


async def test_plain_http_is_tried_after_each_fetch_once_it_was_asked_for(
    make: Make, gatekeeper: Gatekeeper
) -> None:
    keeper = make(LOOPBACK)
    await ask(keeper, LOOPBACK)
    await settle()

    await keeper.refresh(Match(LOOPBACK, LOOPBACK.key(), "asked"))
    await settle()

    assert [heard.split()[0] for heard in gatekeeper.heard] == ["devpi", "devpi"]


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "as many files open as it may"),
        (RuntimeError("can't start new thread"), "may start no more processes"),
        (MemoryError(), "no memory left"),
    ],
)
async def test_a_shortage_that_a_provider_meets_is_no_defect(
    defect: Exception, reason: str, make: Make, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.defect = defect
    keeper = make(CORP)

    with pytest.raises(Unavailable, match=reason):
        await ask(keeper, CORP)

    assert "provider_broken" not in caplog.text
