"""Who may do what: the whole table, by socket, caller and feed."""

from dataclasses import replace

import pytest

from broker.core.access import (
    PEER_EXTENSION,
    SOCKET_KIND_EXTENSION,
    Account,
    Action,
    Granted,
    OwnSocket,
    Principal,
    Share,
    SystemSocket,
    may_do_everything,
    may_see,
    may_see_look_up_of,
    may_see_totals,
    refusal_of_action,
    refusal_of_admission,
    refusal_of_log,
    refusal_of_look_up,
    seen_by,
)
from broker.core.failures import Failure, NoFeed, NotAllowed
from broker.core.feeds import PUBLISH, Allow, Feed, Match, Realm
from broker.core.uids import ROOT, UNMAPPED
from broker.core.urls import parse_url
from tests.fake_clock import START

CORP = Feed(
    "corp",
    Realm("fake", "acme"),
    (parse_url("https://feed.example/corp/simple/"),),
    allow=Allow(users=("carol",), groups=("developers", "builders")),
    place="/etc/token-broker/system.toml line 3",
)
NOBODYS = replace(CORP, name="nobodys", allow=None)
LEARNED = replace(CORP, name="learned", allow=None, configured=False)

ALICE = Account(1001, "alice", frozenset({"developers"}))
BOB = Account(1002, "bob")
CAROL = Account(1003, "carol")
STRANGER = Account(4711)
SUPERUSER = Account(ROOT, "root")

OWN = OwnSocket()
SYSTEM = SystemSocket()
SHARE = Share("dev", (CORP,), START.after(60), ALICE.uid, "brokerctl share --feed corp --for 1m --name dev")


def to(feed: Feed, scope: str | None = None) -> Match:
    return Match(feed, feed.key(scope), "test")


@pytest.mark.parametrize(
    ("socket_kind", "caller", "match", "refusal"),
    [
        (OWN, ALICE, to(CORP), None),
        (OWN, ALICE, to(NOBODYS), None),
        (OWN, ALICE, to(LEARNED), None),
        (OWN, ALICE, to(CORP, PUBLISH), None),
        (OWN, SUPERUSER, to(CORP), None),
        (SYSTEM, ALICE, to(CORP), None),
        (SYSTEM, CAROL, to(CORP), None),
        (SYSTEM, SUPERUSER, to(CORP), None),
        (SYSTEM, SUPERUSER, to(NOBODYS), None),
        (SYSTEM, BOB, to(CORP), NotAllowed),
        (SYSTEM, STRANGER, to(CORP), NotAllowed),
        (SYSTEM, ALICE, to(NOBODYS), NotAllowed),
        (SYSTEM, ALICE, to(LEARNED), NoFeed),
        (SYSTEM, SUPERUSER, to(LEARNED), NoFeed),
        (SYSTEM, ALICE, to(CORP, PUBLISH), NotAllowed),
        (SYSTEM, SUPERUSER, to(CORP, PUBLISH), NotAllowed),
        (SHARE, ALICE, to(CORP), None),
        (SHARE, ALICE, to(CORP, PUBLISH), NotAllowed),
        (SHARE, SUPERUSER, to(NOBODYS), NoFeed),
        (SHARE, ALICE, to(LEARNED), NoFeed),
    ],
)
def test_who_gets_which_credential(
    socket_kind: Granted, caller: Account, match: Match, refusal: type[Failure] | None
) -> None:
    found = refusal_of_look_up(Principal(socket_kind, caller), match)

    assert (None if found is None else type(found)) is refusal


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (BOB, "bob may not use it: the administrator adds users and groups to `allow` in /etc/token-broker/"),
        (STRANGER, "uid 4711 may not use it"),
    ],
)
def test_a_refusal_says_who_can_change_it_and_where(caller: Account, words: str) -> None:
    refusal = refusal_of_look_up(Principal(SYSTEM, caller), to(CORP))

    assert refusal is not None
    assert refusal.detail.startswith(words)


@pytest.mark.parametrize(
    ("principal", "match", "words"),
    [
        (Principal(SHARE, ALICE), to(NOBODYS), "no feed that is shared here has this address"),
        (
            Principal(SYSTEM, ALICE),
            to(LEARNED),
            "the system broker has no feed of this address in its configuration",
        ),
        (
            Principal(SYSTEM, ALICE),
            to(CORP, PUBLISH),
            "credentials that publish are not given out here: use a feed and sign-in of your own",
        ),
    ],
)
def test_a_refusal_says_what_is_not_given_out(principal: Principal, match: Match, words: str) -> None:
    refusal = refusal_of_look_up(principal, match)

    assert refusal is not None
    assert refusal.detail == words


OWNERS = pytest.mark.parametrize(
    ("socket_kind", "caller", "may"),
    [
        (OWN, ALICE, True),
        (OWN, SUPERUSER, True),
        (SYSTEM, SUPERUSER, True),
        (SYSTEM, ALICE, False),
        (SHARE, ALICE, False),
        (SHARE, SUPERUSER, False),
    ],
)


@OWNERS
def test_who_may_read_what_the_daemon_said(socket_kind: Granted, caller: Account, *, may: bool) -> None:
    refusal = refusal_of_log(Principal(socket_kind, caller))

    assert (refusal is None) is may
    assert refusal is None or refusal.detail == "only the broker's owner may read what it said"


@OWNERS
def test_who_is_told_how_much_is_looked_up(socket_kind: Granted, caller: Account, *, may: bool) -> None:
    assert may_see_totals(Principal(socket_kind, caller)) is may


@pytest.mark.parametrize("caller", [ALICE, STRANGER, SUPERUSER])
@pytest.mark.parametrize("socket_kind", [OWN, SYSTEM, SHARE])
def test_who_may_do_everything_is_refused_nothing_and_told_of_everything(
    socket_kind: Granted, caller: Account
) -> None:
    principal = Principal(socket_kind, caller)
    matches = [to(feed, scope) for feed in (CORP, NOBODYS, LEARNED) for scope in (None, PUBLISH)]
    refusals = [
        refusal_of_admission(principal, START),
        refusal_of_log(principal),
        *(refusal_of_look_up(principal, match) for match in matches),
        *(refusal_of_action(principal, order) for order in Action),
    ]

    assert may_do_everything(principal) is (refusals == [None] * len(refusals))
    if may_do_everything(principal):
        assert [seen_by(principal, match) for match in matches] == matches


@pytest.mark.parametrize("order", Action)
@OWNERS
def test_who_may_order_a_change(order: Action, socket_kind: Granted, caller: Account, *, may: bool) -> None:
    assert (refusal_of_action(Principal(socket_kind, caller), order, "corp") is None) is may


def test_a_member_is_told_what_root_would_type() -> None:
    refusal = refusal_of_action(Principal(SYSTEM, ALICE), Action.REFRESH, "corp")

    assert refusal is not None
    assert refusal.detail == "only root may order a refresh from the system broker"
    assert refusal.hint == "sudo brokerctl refresh corp"


def test_of_the_whole_broker_root_would_name_no_feed() -> None:
    refusal = refusal_of_action(Principal(SYSTEM, ALICE), Action.RELOAD)

    assert refusal is not None
    assert refusal.hint == "sudo brokerctl reload"


def test_a_share_says_that_it_takes_no_orders() -> None:
    refusal = refusal_of_action(Principal(SHARE, ALICE), Action.FORGET, "corp")

    assert refusal is not None
    assert refusal.detail == "no forget may be ordered here: a share answers look-ups only"


@pytest.mark.parametrize(
    ("socket_kind", "caller", "feed", "may"),
    [
        (OWN, BOB, NOBODYS, True),
        (SYSTEM, ALICE, CORP, True),
        (SYSTEM, ALICE, NOBODYS, False),
        (SYSTEM, BOB, CORP, False),
        (SYSTEM, STRANGER, CORP, False),
        (SYSTEM, SUPERUSER, NOBODYS, True),
        (SHARE, ALICE, CORP, True),
        (SHARE, BOB, CORP, True),
        (SHARE, ALICE, NOBODYS, False),
    ],
)
def test_who_is_told_of_a_feed(socket_kind: Granted, caller: Account, feed: Feed, *, may: bool) -> None:
    assert may_see(Principal(socket_kind, caller), feed) is may


@pytest.mark.parametrize(
    ("socket_kind", "caller", "may"),
    [
        (OWN, ALICE, True),
        (SYSTEM, BOB, True),
        (SYSTEM, ALICE, False),
        (SYSTEM, SUPERUSER, True),
        (SHARE, ALICE, True),
    ],
)
def test_who_is_told_of_a_look_up_by_bob_for_corp(
    socket_kind: Granted, caller: Account, *, may: bool
) -> None:
    assert may_see_look_up_of(Principal(socket_kind, caller), BOB.uid, "corp") is may


def test_an_ended_share_says_what_renews_it() -> None:
    principal = Principal(SHARE, ALICE)
    refusal = refusal_of_admission(principal, START.after(60))

    assert refusal_of_admission(principal, START.after(59)) is None
    assert refusal is not None
    assert refusal.detail == "the share dev has ended: renew it on the machine that shares"
    assert refusal.hint == "brokerctl share --feed corp --for 1m --name dev"


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (ALICE, None),
        (SUPERUSER, None),
        (BOB, "the share dev is for uid 1001, and you are uid 1002"),
        (Account(UNMAPPED), "and you are a user who has no number in the broker's user namespace (65534)"),
    ],
)
def test_a_share_is_for_its_owner_and_root(caller: Account, words: str | None) -> None:
    refusal = refusal_of_admission(Principal(SHARE, caller), START)

    assert (refusal is None) is (words is None)
    assert words is None or words in str(refusal)
    assert refusal is None or refusal.hint == "docker run --user 1001 IMAGE"


def test_a_file_link_of_the_realm_gets_the_shared_feeds_credential_under_its_name() -> None:
    sibling = replace(CORP, name="sibling")
    link = Match(sibling, CORP.key(), "the default of realm", stands_in=True)
    principal = Principal(SHARE, ALICE)

    assert refusal_of_look_up(principal, link) is None
    assert seen_by(principal, link).feed == CORP


@pytest.mark.parametrize(
    "match",
    [
        to(replace(CORP, name="sibling")),
        Match(replace(CORP, name="other"), CORP.key()._replace(identity="other"), "x", stands_in=True),
    ],
    ids=["the sibling's own address", "another credential"],
)
def test_a_sibling_that_is_not_shared_stays_unknown(match: Match) -> None:
    assert isinstance(refusal_of_look_up(Principal(SHARE, ALICE), match), NoFeed)


def test_the_keys_of_a_scope_stay_what_other_applications_read() -> None:
    assert (PEER_EXTENSION, SOCKET_KIND_EXTENSION) == ("token_broker.peer", "token_broker.entrance")
