"""What a feed's word on a credential means."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from broker.core.credential import Credential, Secret
from broker.core.failures import Refused, Unavailable
from broker.core.feeds import Feed, Realm, SlotKey
from broker.core.moment import Moment
from broker.core.refresh import (
    HOLD_REFUSED_S,
    Held,
    RefreshPolicy,
    Slot,
    after_failure,
    after_success,
)
from broker.core.urls import parse_url
from broker.core.verdict import FeedAnswer, Verdict, Verification, judge, usable_credential

FEED = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
NOW = Moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1000.0)
CREDENTIAL = Credential("VssSessionToken", Secret("token"), None, "azure-cli", account="dev@acme.example")
NAMELESS = Credential("ci", Secret("token"), None, "env:X")
HAND_MADE = replace(NAMELESS, manual_renewal="make a new one and put it into X", replacing="cat > X")

EXPLAIN = "brokerctl explain https://feed.example/corp/simple/"

ENDING = after_success(
    Slot(SlotKey(Realm("fake", "acme"), "default", "read", "password")),
    replace(CREDENTIAL, expires_at=NOW.after(60).wall),
    RefreshPolicy(),
    NOW,
    0,
)
ENDLESS = after_success(Slot(ENDING.key), CREDENTIAL, RefreshPolicy(), NOW, 0)
FAILING = after_failure(ENDING, Unavailable("away"), NOW, 0)
HELD = Held(CREDENTIAL, NOW, NOW.after(3000), None)
OTHER = Held(NAMELESS, NOW, NOW.after(3000), None)

ACCEPTED, UNAUTHORISED, FORBIDDEN, UNKNOWN = (Verification(HELD, NOW, verdict) for verdict in (*Verdict,))
OF_ANOTHER = Verification(OTHER, NOW, Verdict.UNAUTHORISED)
REFUSED = Verification(HELD, NOW, Verdict.FORBIDDEN, Refused("no right"))


@pytest.mark.parametrize(
    ("slot", "verification", "after_s", "is_usable", "left_s"),
    [
        (ENDING, None, 0, True, 60),
        (ENDING, None, 59, True, 1),
        (ENDING, None, 60, False, 0),
        (ENDING, ACCEPTED, 0, True, 60),
        (ENDING, OF_ANOTHER, 0, True, 60),
        (ENDING, replace(UNAUTHORISED, held=ENDING.held or HELD), 0, False, 60),
        (ENDLESS, UNAUTHORISED, 0, False, None),
        (ENDING, UNKNOWN, 0, True, 60),
        (ENDING, REFUSED, 0, False, 60),
        (ENDING, ACCEPTED, 60, False, 0),
        (ENDLESS, None, 1e6, True, None),
        (FAILING, None, 59, True, 1),
        (FAILING, REFUSED, 0, False, 60),
        (Slot(ENDING.key), None, 0, False, None),
        (Slot(ENDING.key), ACCEPTED, 0, False, None),
    ],
)
def test_a_credential_is_usable_until_its_end_unless_the_feed_refused_it(
    slot: Slot,
    verification: Verification | None,
    after_s: float,
    *,
    is_usable: bool,
    left_s: float | None,
) -> None:
    now = NOW.after(after_s)

    assert (usable_credential(slot, verification, now) is not None) == is_usable
    assert slot.left_s(now) == left_s


@pytest.mark.parametrize("before", [None, ACCEPTED, UNAUTHORISED, FORBIDDEN, UNKNOWN, REFUSED])
def test_accepted_refuses_nothing(before: Verification | None) -> None:
    later = NOW.after(20)

    answer = FeedAnswer(Verdict.ACCEPTED)
    assert judge(FEED, HELD, answer, before, later) == Verification(
        HELD, later, Verdict.ACCEPTED, said=later, answer=answer
    )


@pytest.mark.parametrize("before", [ACCEPTED, UNAUTHORISED, FORBIDDEN, UNKNOWN, REFUSED])
def test_unknown_proves_nothing_about_what_was_said_to_the_same_credential(before: Verification) -> None:
    later = NOW.after(20)

    assert judge(FEED, HELD, FeedAnswer(Verdict.UNKNOWN), before, later) == replace(before, tried=later)
    assert judge(FEED, OTHER, FeedAnswer(Verdict.UNKNOWN), before, later) == Verification(
        OTHER, later, Verdict.UNKNOWN
    )


@pytest.mark.parametrize("before", [None, ACCEPTED, FORBIDDEN, UNKNOWN, UNAUTHORISED])
def test_an_unauthorised_refuses_nothing_before_a_fetch(before: Verification | None) -> None:
    verification = judge(FEED, HELD, FeedAnswer(Verdict.UNAUTHORISED), before, NOW)

    assert verification == Verification(
        HELD, NOW, Verdict.UNAUTHORISED, said=NOW, answer=FeedAnswer(Verdict.UNAUTHORISED)
    )


@pytest.mark.parametrize(
    ("credential", "verdict", "detail", "hint"),
    [
        (
            CREDENTIAL,
            Verdict.UNAUTHORISED,
            (
                "the feed does not accept the credential of dev@acme.example from azure-cli (401), "
                "not even a newly fetched one"
            ),
            EXPLAIN,
        ),
        (
            NAMELESS,
            Verdict.UNAUTHORISED,
            "the feed does not accept the credential from env:X (401), not even a newly fetched one",
            EXPLAIN,
        ),
        (
            HAND_MADE,
            Verdict.UNAUTHORISED,
            "the feed does not accept the credential (401): make a new one and put it into X",
            "cat > X",
        ),
        (
            CREDENTIAL,
            Verdict.FORBIDDEN,
            "dev@acme.example has no right to read this feed (403): ask its owner for the reader role",
            "brokerctl refresh corp",
        ),
    ],
)
def test_a_no_for_good_says_who_is_refused_what_and_what_to_type(
    credential: Credential, verdict: Verdict, detail: str, hint: str
) -> None:
    fetched = Held(credential, NOW, NOW.after(3000), None)
    verification = judge(FEED, fetched, FeedAnswer(verdict), UNAUTHORISED, NOW)

    assert verification.refusal is not None
    assert (verification.refusal.detail, verification.refusal.hint) == (detail, hint)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            FeedAnswer(Verdict.UNAUTHORISED, said="302, a page to sign in at"),
            (
                "the feed does not accept the credential of dev@acme.example from azure-cli "
                "(302, a page to sign in at), not even a newly fetched one"
            ),
        ),
        (
            FeedAnswer(Verdict.FORBIDDEN, said='403: "no policy lets you in"'),
            (
                'the feed refuses the credential of dev@acme.example (403: "no policy lets you in"): '
                "ask its owner about that"
            ),
        ),
    ],
)
def test_a_no_for_good_says_what_the_feed_said(answer: FeedAnswer, detail: str) -> None:
    fetched = Held(CREDENTIAL, NOW, NOW.after(3000), None)

    refusal = judge(FEED, fetched, answer, UNAUTHORISED, NOW).refusal

    assert refusal is not None
    assert refusal.detail == detail


OR_CLOSED = ", or add verify = false to its [[feed]] if clients are served all the same"


@pytest.mark.parametrize("credential", [CREDENTIAL, HAND_MADE])
@pytest.mark.parametrize("verdict", [Verdict.UNAUTHORISED, Verdict.FORBIDDEN])
@pytest.mark.parametrize("is_set_up", [True, False])
def test_a_no_of_a_server_that_its_owner_set_up_names_the_line_for_a_closed_index_page(
    credential: Credential, verdict: Verdict, is_set_up: bool
) -> None:
    fetched = Held(credential, NOW, NOW.after(3000), None)
    feed = replace(FEED, may_serve_below=is_set_up)

    refusal = judge(feed, fetched, FeedAnswer(verdict), UNAUTHORISED, NOW).refusal

    assert refusal is not None
    assert refusal.detail.endswith(OR_CLOSED) is is_set_up


def test_forbidden_is_a_no_at_once() -> None:
    assert judge(FEED, HELD, FeedAnswer(Verdict.FORBIDDEN), None, NOW).refusal is not None


@pytest.mark.parametrize(("after_s", "wants"), [(HOLD_REFUSED_S - 0.1, False), (HOLD_REFUSED_S, True)])
def test_a_refusal_wants_repeating_after_a_while(after_s: float, wants: bool) -> None:
    refused = judge(FEED, HELD, FeedAnswer(Verdict.FORBIDDEN), None, NOW)

    assert refused.wants_repeating(NOW.after(after_s)) is wants
    assert not ACCEPTED.wants_repeating(NOW.after(after_s))
