"""What status shows of a slot, and how it is written."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from broker.core.credential import Credential, Secret
from broker.core.failures import Refused, SignInNeeded
from broker.core.feeds import Feed, Realm
from broker.core.moment import Moment
from broker.core.refresh import Held, RefreshPolicy, Slot, after_failure, after_success
from broker.core.status import (
    BrokerStatus,
    FeedStatus,
    LookupRecord,
    Usage,
    feed_status,
    rfc3339,
    to_json,
)
from broker.core.urls import parse_url
from broker.core.verdict import Verdict, Verification

NOW = Moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1000.0)
ENDS = NOW.wall + timedelta(seconds=3600)
FEED = Feed(
    "corp",
    Realm("azure", "acme"),
    (parse_url("https://feed.example/simple/"), parse_url("https://other.example/")),
    username="ci",
)
CREDENTIAL = Credential("VssSessionToken", Secret("TBKTEST-1"), ENDS, "azure-cli", "dev@acme.example", "t-1")
EMPTY = Slot(FEED.key())
FRESH = after_success(EMPTY, CREDENTIAL, RefreshPolicy(), NOW, 0)
USAGE = Usage(NOW.wall, 812, 4, NOW.after(60).wall)


def status_of(slot: Slot, refusal: Refused | None = None, now: Moment = NOW) -> FeedStatus:
    held = slot.held or Held(CREDENTIAL, NOW, NOW, None)
    tried = None if refusal is None else Verification(held, NOW, Verdict.FORBIDDEN, refusal, said=NOW)
    return feed_status(FEED, slot, tried, USAGE, ttl_s=3000.4, shares="first", now=now)


def test_a_fresh_feed_shows_everything_but_the_secret() -> None:
    status = status_of(FRESH, now=NOW.after(100.5))

    assert status == FeedStatus(
        name="corp",
        provider="azure",
        realm="azure:acme",
        urls=("https://feed.example/simple/", "https://other.example/"),
        configured=True,
        usable=True,
        state="fresh",
        since=NOW.wall,
        source="azure-cli",
        account="dev@acme.example",
        tenant="t-1",
        scope="read",
        username="VssSessionToken",
        obtained_at=NOW.wall,
        expires_at=ENDS,
        refresh_at=NOW.after(3000).wall,
        ttl_s=3000,
        left_s=3499,
        lookups=812,
        fetches=4,
        last_used_at=NOW.after(60).wall,
        error=None,
        hint=None,
        shares="first",
        required_username=FEED.username,
    )
    assert "TBKTEST" not in repr(status)


@pytest.mark.parametrize(
    ("is_personal", "required"), [(True, "jane"), (False, None)], ids=["from netrc", "a token"]
)
def test_the_name_that_a_secret_came_with_is_required(is_personal: bool, required: str | None) -> None:
    feed, found = replace(FEED, username=None), Credential("jane", Secret("TBKTEST-1"), None, "netrc")
    slot = after_success(EMPTY, replace(found, is_personal=is_personal), RefreshPolicy(), NOW, 0)

    status = feed_status(feed, slot, None, USAGE, ttl_s=3000.4, shares=None, now=NOW)

    assert status.required_username == required


def test_of_an_empty_feed_nothing_is_known_but_its_configuration() -> None:
    status = status_of(EMPTY)

    assert (status.state, status.usable, status.username) == ("empty", False, "ci")
    assert {
        status.source,
        status.account,
        status.tenant,
        status.obtained_at,
        status.expires_at,
        status.refresh_at,
        status.left_s,
        status.error,
        status.hint,
    } == {None}


def test_a_username_that_is_half_of_the_secret_is_not_shown() -> None:
    pair = Credential("s3cret-name", Secret("s3cret-pass"), None, "netrc", has_secret_name=True)
    slot = after_success(EMPTY, pair, RefreshPolicy(), NOW, 0)

    assert status_of(slot).username is None
    assert "s3cret" not in repr(pair)


def test_a_token_without_an_end_has_no_time_left_to_tell() -> None:
    slot = after_success(EMPTY, replace(CREDENTIAL, expires_at=None), RefreshPolicy(), NOW, 0)

    assert (status_of(slot).left_s, status_of(slot).expires_at) == (None, None)


def test_an_ended_token_is_not_usable_and_has_nothing_left() -> None:
    status = status_of(FRESH, now=NOW.after(3601))

    assert (status.state, status.usable, status.left_s) == ("expired", False, 0)


def test_a_failing_renewal_says_why_while_the_token_is_usable() -> None:
    slot = after_failure(FRESH, SignInNeeded("signed out", hint="az login"), NOW, 0)

    status = status_of(slot)

    assert (status.state, status.usable) == ("sign-in-needed", True)
    assert (status.error, status.hint) == ("signed out", "az login")


@pytest.mark.parametrize(
    ("state", "usable", "needs_help"),
    [
        ("fresh", True, False),
        ("failing", True, False),
        ("empty", False, False),
        ("sign-in-needed", True, True),
        ("sign-in-needed", False, True),
        ("failing", False, True),
        ("refused", False, True),
        ("expired", False, True),
    ],
)
def test_a_feed_needs_help_when_no_look_up_gets_an_answer_or_soon_none_will(
    state: str, usable: bool, needs_help: bool
) -> None:
    assert replace(status_of(FRESH), state=state, usable=usable).needs_help is needs_help


def test_what_the_feed_itself_refused_is_not_usable() -> None:
    status = status_of(FRESH, Refused("no right", hint="ask"))

    assert (status.state, status.usable) == ("refused", False)
    assert (status.error, status.hint) == ("no right", "ask")


def test_the_renewals_own_trouble_is_told_before_the_feeds_refusal() -> None:
    slot = after_failure(FRESH, SignInNeeded("signed out"), NOW, 0)

    status = status_of(slot, Refused("no right"))

    assert (status.state, status.usable, status.error) == ("sign-in-needed", False, "signed out")


def test_a_status_is_written_as_the_contract_has_it() -> None:
    look_up = LookupRecord(NOW.wall, 1001, 811, "https://feed.example/", "corp", "hit", None)
    status = BrokerStatus(
        "1.0", 1, "/s", None, NOW.wall, 9, {"hit": 1}, (look_up,), (status_of(EMPTY),), error=None
    )

    plain = to_json(status)

    assert plain["started_at"] == "2026-01-02T03:04:05Z"
    assert plain["lookups"] == {"hit": 1}
    assert plain["recent"] == [to_json(look_up)]
    assert plain["recent"] == [
        {
            "at": "2026-01-02T03:04:05Z",
            "uid": 1001,
            "pid": 811,
            "url": "https://feed.example/",
            "feed": "corp",
            "outcome": "hit",
            "hint": None,
            "verdict": None,
            "error": None,
        }
    ]
    assert plain["feeds"] == [to_json(status_of(EMPTY))]
    assert list(plain) == [
        "version", "pid", "socket", "config", "started_at", "uptime_s", "lookups", "recent", "feeds", "error",
        "shares", "hint", "auto", "ca",
    ]  # fmt: skip


@pytest.fixture
def _far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XXX-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_far_east")
def test_times_are_written_in_utc_to_the_second() -> None:
    local = datetime(2026, 11, 21, 10, 41, 0, 999999, tzinfo=timezone(timedelta(hours=1)))

    assert rfc3339(local) == "2026-11-21T09:41:00Z"


def test_what_status_cannot_show_is_an_error() -> None:
    odd = replace(status_of(EMPTY), error=object())  # type: ignore[arg-type]

    with pytest.raises(TypeError, match=r"^status cannot show a object$"):
        to_json(odd)
