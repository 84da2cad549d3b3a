"""What our parser lets a feed answer, others read as that feed, too: the URL standard's parser (Ada, which
reads as uv does) and RFC 3986's (yarl). A URL that two programs read differently is how tokens are stolen.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

import ada_url
import pytest
import yarl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core.failures import BadRequest
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.urls import DEFAULT_PORTS, Host, parse_service, parse_url

FEEDS = tuple(
    Feed(name, Realm("basic", name), (parse_url(url),))
    for name, url in {
        "corp": "https://feed.example.com/corp/pypi/simple/",
        "deep": "https://feed.example.com/corp/pypi/simple/deep/",
        "tilde": "https://feed.example.com/~user/a%20b/",
        "root": "https://root.example.com/",
        "port": "https://feed.example.com:8443/simple/",
        "loopback": "http://127.0.0.1:8080/simple/",
        "six": "http://[::1]:8080/simple/",
    }.items()
)
TABLE = FeedTable(FEEDS, lambda _: None, lambda _: None)

PIECES = (
    *(
        "/",
        "//",
        "\\",
        "?",
        "#",
        "@",
        ":",
        "::",
        "%",
        "%2f",
        "%2F",
        "%5c",
        "%2e",
        "%2E%2e",
        "%00",
        "%7e",
        "%41",
    ),
    *(
        ".",
        "..",
        "/./",
        "/../",
        ";",
        "&",
        "=",
        "+",
        " ",
        "\t",
        "\n",
        "\r",
        "\x00",
        "\x7f",
        "*",
        "[",
        "]",
        "|",
    ),
    *("x", "X", "simple", "deep", "corp", "evil.example", ".evil.example", "evil@", "user:pass@", "user@"),
    *(":443", ":80", ":8443", ":0443", ":0", ":", ":65536", "localhost", "0x7f.1", "127.1", "2130706433"),
    *(
        "xn--",
        "ß",
        "\u017f",
        "\u2024",
        "\uff0e",
        "\u3002",
        "\uff0f",
        "\u200d",
        "\u0130",
        "%c3%9f",
        "http://",
        "https:",
    ),
)


TAILS = ("/..", "/.", "..", "/", "/%2e%2e", "/.%2E/", "/..%2f", "/..;/", "/x", "/evil", "?/../..", "#/../..")


@st.composite
def services(draw: st.DrawFn) -> str:
    """A feed's URL with a few stretches replaced, cut or in the other case."""
    text = str(draw(st.sampled_from(FEEDS)).url)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 6)))
        old = text[start:end]
        piece = draw(st.sampled_from((*PIECES, old.upper(), old.swapcase(), f"%{ord((old or 'a')[0]):02x}")))
        text = text[:start] + piece + text[end:]
    return text + "".join(draw(st.lists(st.sampled_from(TAILS), max_size=4)))


def segments(path: str) -> list[str]:
    return [unquote(segment) for segment in path.removeprefix("/").split("/")]


def one_spelling(host: str) -> str:
    bare = host.removeprefix("[").removesuffix("]").lower()
    return str(ipaddress.ip_address(bare)) if ":" in bare else bare


def as_ada_reads(url: str) -> tuple[str, str, int, list[str]]:
    read = ada_url.parse_url(url)
    scheme = read["protocol"].removesuffix(":")
    port = int(read["port"]) if read["port"] else DEFAULT_PORTS[scheme]
    return scheme, one_spelling(read["hostname"]), port, segments(read["pathname"])


def as_yarl_reads(url: str) -> tuple[str, str, int, list[str]]:
    read = yarl.URL(url, encoded=True)
    return read.scheme, one_spelling(read.host or ""), read.port or 0, segments(read.raw_path)


def check(service: str) -> None:
    try:
        asked = parse_service(service)
    except BadRequest:
        return
    found = TABLE.match(asked)
    if isinstance(asked, Host) or not isinstance(found, Match):
        return
    [prefix] = found.feed.prefixes
    url = service if re.match(r"[a-z]+://", service, re.IGNORECASE) else f"https://{service}"
    for reads in (as_ada_reads, as_yarl_reads):
        scheme, host, port, path = reads(url)
        assert (scheme, host, port) == (prefix.origin.scheme, prefix.origin.host, prefix.origin.port)
        assert path[: len(prefix.segments)] == [unquote(segment) for segment in prefix.segments]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(services())
def test_a_match_is_one_in_the_eyes_of_other_parsers(service: str) -> None:
    check(service)


@pytest.mark.long
@settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(services())
def test_a_hundred_thousand_matches_are_ones_in_the_eyes_of_other_parsers(service: str) -> None:
    check(service)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_each_feed_is_its_own_in_the_eyes_of_all(feed: Feed) -> None:
    found = TABLE.match(feed.url)

    assert isinstance(found, Match)
    assert found.feed is feed
    check(str(feed.url))
