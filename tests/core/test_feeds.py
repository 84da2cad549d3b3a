"""Which feed answers: tables of questions over a small world of feeds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.feeds import (
    PUBLISH,
    Allow,
    Ambiguous,
    Feed,
    FeedTable,
    Match,
    NoMatch,
    Realm,
    Recognised,
    SlotKey,
)
from broker.core.urls import Host, Url, parse_service, parse_url
from broker.providers.recognise.services import recognise

ACME = Realm("azure", "acme")
OTHER = Realm("basic", "https://artifactory.example")


GUID = "0a1b2c3d-0000-4000-8000-000000000000"


def feed(name: str, url: str, realm: Realm, **more: object) -> Feed:
    address = parse_url(url)
    recognised = recognise(address)
    prefixes = (address, *(recognised.prefixes if recognised is not None else ()))
    return replace(Feed(name, realm, tuple(dict.fromkeys(prefixes))), **more)  # type: ignore[arg-type]


CORP = feed("corp", "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/", ACME)
TOOLS = feed("tools", "https://pkgs.dev.azure.com/acme/_packaging/tools/pypi/simple/", ACME)
LABS = feed("labs", "https://pkgs.dev.azure.com/labs/_packaging/labs/pypi/simple/", Realm("azure", "labs"))
INTERNAL = feed(
    "internal", "https://artifactory.example/api/pypi/internal/simple/", OTHER, username="ci", kind="password"
)
DEEP = feed("deep", "https://artifactory.example/api/pypi/internal/simple/deep/", OTHER, identity="deep")


def learn(recognised: Recognised) -> Feed:
    return Feed("learned", recognised.realm, recognised.prefixes, configured=False)


def nobody(_: Recognised) -> None:
    return None


TABLE = FeedTable([CORP, TOOLS, LABS, INTERNAL, DEEP], recognise, learn)


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/", "corp"),
        ("https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple", "corp"),
        ("https://pkgs.dev.azure.com/acme/_packaging/tools/pypi/simple/requests/", "tools"),
        ("https://acme.pkgs.visualstudio.com/_packaging/tools/pypi/simple/", "tools"),
        ("https://ACME.pkgs.visualstudio.com/_packaging/tools/pypi/simple/", "tools"),
        ("https://user@pkgs.dev.azure.com/labs/_packaging/labs/pypi/simple/", "labs"),
        (f"https://pkgs.dev.azure.com/acme/{GUID}/_packaging/{GUID}/pypi/download/demo/1.0/demo.whl", "corp"),
        ("acme.pkgs.visualstudio.com", "corp"),
        ("https://artifactory.example/api/pypi/internal/simple/", "internal"),
        ("https://artifactory.example/api/pypi/internal/simple/deep/", "deep"),
        ("https://artifactory.example/api/pypi/internal/simple/deeper/", "internal"),
        ("https://pkgs.dev.azure.com/elsewhere/_packaging/x/pypi/simple/", "learned"),
    ],
)  # fmt: skip
def test_the_longest_whole_segment_prefix_or_else_the_realm_answers(service: str, name: str) -> None:
    found = TABLE.match(parse_service(service))

    assert isinstance(found, Match)
    assert found.feed.name == name
    assert found.key == SlotKey(found.feed.realm, found.feed.identity, "read", found.feed.kind)


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("https://artifactory.example/api/pypi/internal/simple/x/", "longest prefix, 4 segments"),
        ("https://packages.example/simple/x/", "longest prefix, 1 segment"),
        (f"https://pkgs.dev.azure.com/acme/{GUID}/x.whl", "the default of realm azure:acme"),
        ("https://pkgs.dev.azure.com/elsewhere/_packaging/x/pypi/simple/", "its address names the realm"),
    ],
)
def test_a_match_says_why(service: str, why: str) -> None:
    own = feed("own", "https://packages.example/simple/", Realm("basic", "https://packages.example"))
    found = FeedTable([*TABLE.feeds, own], recognise, learn).match(parse_service(service))

    assert isinstance(found, Match)
    assert found.why == why


def test_a_prefix_of_one_segment_is_said_to_be_one() -> None:
    table = FeedTable([feed("one", "https://one.example/simple/", OTHER)], recognise, learn)

    found = table.match(parse_service("https://one.example/simple/x/"))

    assert isinstance(found, Match)
    assert found.why == "longest prefix, 1 segment"


@pytest.mark.parametrize(
    "service",
    [
        "https://pkgs.dev.azure.com.evil.example/acme/_packaging/corp/pypi/simple/",
        "https://evilpkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com:8443/acme/_packaging/corp/pypi/simple/",
        "https://artifactory.example/api/pypi/internal/simpleevil/",
        "https://artifactory.example/api/pypi/internal/",
        "https://artifactory.example:8443/api/pypi/internal/simple/",
        "https://artifactory.example.evil.example/api/pypi/internal/simple/",
        "https://feed.example/simple/",
        "feed.example",
        "artifactory.example:8443",
        "poetry-repository-corp",
        "pkgs.dev.azure.com:8443",
    ],
)
def test_what_only_looks_alike_belongs_to_no_feed(service: str) -> None:
    assert TABLE.match(parse_service(service)) == NoMatch("no feed has this address")


@pytest.mark.parametrize(
    ("host", "feeds"),
    [("pkgs.dev.azure.com", (CORP, TOOLS, LABS)), ("artifactory.example", (INTERNAL, DEEP))],
)
def test_a_bare_host_with_two_credentials_is_ambiguous(host: str, feeds: tuple[Feed, ...]) -> None:
    assert TABLE.match(Host(host, None)) == Ambiguous(feeds)


def test_a_bare_host_whose_feeds_share_one_credential_is_answered() -> None:
    table = FeedTable([CORP, TOOLS], recognise, nobody)

    assert table.match(Host("pkgs.dev.azure.com", None)) == Match(
        CORP, CORP.key(), "every feed on pkgs.dev.azure.com has this credential", stands_in=True
    )


def test_a_bare_host_is_not_answered_by_a_default_identity_among_others() -> None:
    other = replace(TOOLS, identity="tenant 2")
    table = FeedTable([CORP, other], recognise, nobody)

    assert isinstance(table.match(Host("pkgs.dev.azure.com", None)), Ambiguous)


def test_without_auto_an_unconfigured_realm_belongs_to_no_feed() -> None:
    table = FeedTable([CORP], recognise, nobody)

    assert isinstance(table.match(LABS.url), NoMatch)


GUID_FILE = parse_url(
    "https://pkgs.dev.azure.com/acme/0a1b2c3d-0000-4000-8000-000000000000/_packaging/x/y.whl"
)


def test_a_file_link_outside_all_feeds_takes_the_realms_default_identity() -> None:
    table = FeedTable([replace(TOOLS, identity="tenant 2"), CORP], recognise, nobody)

    found = table.match(GUID_FILE)

    assert isinstance(found, Match)
    assert found.feed is CORP


def test_a_file_link_outside_all_feeds_without_a_default_is_ambiguous() -> None:
    feeds = [replace(TOOLS, identity="tenant 2"), replace(CORP, identity="tenant 1")]

    assert isinstance(FeedTable(feeds, recognise, nobody).match(GUID_FILE), Ambiguous)


def test_a_file_link_outside_all_feeds_takes_a_reader_before_a_publisher() -> None:
    table = FeedTable([replace(TOOLS, scope=PUBLISH), CORP], recognise, nobody)

    found = table.match(GUID_FILE)

    assert isinstance(found, Match)
    assert found.feed is CORP


def test_a_file_link_outside_all_feeds_takes_a_publisher_where_nobody_reads() -> None:
    publisher = replace(CORP, scope=PUBLISH)

    found = FeedTable([publisher, replace(TOOLS, identity="tenant 2")], recognise, nobody).match(GUID_FILE)

    assert isinstance(found, Match)
    assert found.feed is publisher


def test_an_address_that_stands_for_a_configured_one_takes_its_feed() -> None:
    learned = Recognised(Realm("azure", "elsewhere"), "files", (), (), stands_for=INTERNAL.url)

    found = FeedTable([INTERNAL], lambda _: learned, nobody).match(parse_url("https://files.example/x.whl"))

    assert found == Match(INTERNAL, INTERNAL.key(), "longest prefix, 4 segments")


UPLOAD = "https://pkgs.dev.azure.com/{}/_packaging/{}/pypi/upload/"


@pytest.mark.parametrize(("organisation", "name"), [("acme", "corp"), ("acme", "x"), ("elsewhere", "x")])
def test_an_upload_address_takes_the_slot_that_publishes_wherever_its_feed_was_found(
    organisation: str, name: str
) -> None:
    found = TABLE.match(parse_url(UPLOAD.format(organisation, name)))

    assert isinstance(found, Match)
    assert found.key == found.feed.key(PUBLISH)


def test_an_upload_address_without_one_feed_to_go_with_is_no_match() -> None:
    feeds = [replace(TOOLS, identity="tenant 2"), replace(CORP, identity="tenant 1")]
    upload = parse_url(UPLOAD.format("acme", "x"))

    assert isinstance(FeedTable(feeds, recognise, nobody).match(upload), Ambiguous)
    assert isinstance(FeedTable([LABS], recognise, nobody).match(upload), NoMatch)


def test_a_feed_at_the_root_of_its_host_covers_all_of_it() -> None:
    root = feed("root", "https://root.example/", Realm("basic", "https://root.example"))
    table = FeedTable([root], recognise, nobody)

    assert isinstance(table.match(parse_url("https://root.example/")), Match)
    assert isinstance(table.match(parse_url("https://root.example/a/b")), Match)


@pytest.mark.parametrize("username", [None, "", "ci"])
def test_a_feed_with_its_own_username_answers_it_and_none(username: str | None) -> None:
    assert isinstance(TABLE.match(INTERNAL.url, username), Match)


def test_another_users_name_for_a_feed_with_its_own_is_not_answered() -> None:
    assert TABLE.match(INTERNAL.url, "somebody") == NoMatch("feed internal answers ci, the URL says somebody")


def test_any_username_is_answered_where_the_server_ignores_it() -> None:
    assert isinstance(TABLE.match(CORP.url, "anybody"), Match)


def test_feeds_of_one_realm_share_a_slot() -> None:
    assert CORP.key() == TOOLS.key()


def test_an_upload_address_selects_a_slot_of_its_own() -> None:
    found = TABLE.match(parse_url("https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/upload/"))

    assert isinstance(found, Match)
    assert found.key == CORP.key()._replace(scope="publish")


@given(
    st.sampled_from([CORP, TOOLS, LABS, INTERNAL, DEEP]),
    st.lists(st.sampled_from(["a", "simple", "deep", "_packaging", "corp", "x.whl"]), max_size=4),
    st.integers(0, 6),
)
def test_a_configured_match_never_crosses_origins_or_segments(base: Feed, tail: list[str], cut: int) -> None:
    service = Url(base.url.origin, (*base.url.segments[:cut], *tail))
    table = FeedTable([INTERNAL, DEEP], recognise, nobody)

    found = table.match(service)

    covering = [each for each in table.feeds if any(url.covers(service) for url in each.prefixes)]
    assert isinstance(found, Match) == bool(covering)
    if isinstance(found, Match):
        assert found.feed is max(covering, key=lambda each: len(each.url.segments))


def test_a_table_knows_every_group_that_a_feed_allows() -> None:
    allowed = replace(CORP, allow=Allow(groups=("developers", "builders")))

    assert FeedTable([allowed, TOOLS], recognise, nobody).groups == {"developers", "builders"}
