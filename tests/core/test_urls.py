"""Tables of what is a service and what is not, and what stays true of every URL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.failures import BadRequest
from broker.core.urls import (
    SERVICE_CHARACTERS_MAX,
    Host,
    Origin,
    Url,
    has_password,
    heeds_proxies,
    is_loopback,
    parse_service,
    parse_url,
)

AZURE = Origin("https", "pkgs.dev.azure.com", 443)


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/",
         Url(AZURE, ("acme", "_packaging", "corp", "pypi", "simple"))),
        ("https://pkgs.dev.azure.com/acme", Url(AZURE, ("acme",))),
        ("https://pkgs.dev.azure.com", Url(AZURE, ())),
        ("https://pkgs.dev.azure.com:443/acme/", Url(AZURE, ("acme",))),
        ("HTTPS://PKGS.Dev.Azure.COM/Acme/", Url(AZURE, ("Acme",))),
        ("https://user:secret@pkgs.dev.azure.com/acme/", Url(AZURE, ("acme",))),
        ("https://a%40b@pkgs.dev.azure.com/acme/", Url(AZURE, ("acme",))),
        ("pkgs.dev.azure.com/acme/", Url(AZURE, ("acme",))),
        ("https://pkgs.dev.azure.com/acme/?x=1#sha256=2", Url(AZURE, ("acme",))),
        ("https://feed.example/a%7eb/%c3%a4/", Url(Origin("https", "feed.example", 443), ("a~b", "%C3%A4"))),
        ("https://feed.example/a//b", Url(Origin("https", "feed.example", 443), ("a", "", "b"))),
        ("https://feed.example/a..;b/..c", Url(Origin("https", "feed.example", 443), ("a..;b", "..c"))),
        ("http://127.0.0.1:8080/simple/", Url(Origin("http", "127.0.0.1", 8080), ("simple",))),
        ("http://[::1]:8080/simple/", Url(Origin("http", "::1", 8080), ("simple",))),
        ("https://feed.example:1/", Url(Origin("https", "feed.example", 1), ())),
        ("https://feed.example:65535/", Url(Origin("https", "feed.example", 65535), ())),
        ("https://feed.example:/a", Url(Origin("https", "feed.example", 443), ("a",))),
        ("https://feed.example/a#b://c", Url(Origin("https", "feed.example", 443), ("a",))),
        ("https://feed.example/%58%21x/", Url(Origin("https", "feed.example", 443), ("X%21x",))),
        ("http://localhost/simple/", Url(Origin("http", "localhost", 80), ("simple",))),
        ("pkgs.dev.azure.com", Host("pkgs.dev.azure.com", None)),
        ("feed.example:8443", Host("feed.example", 8443)),
        ("user@feed.example", Host("feed.example", None)),
        ("poetry-repository-corp", Host("poetry-repository-corp", None)),
    ],
)  # fmt: skip
def test_a_service_is_taken_apart_into_origin_and_segments(text: str, service: Url | Host) -> None:
    assert parse_service(text) == service


REFUSED = {
    "the service is longer than 4,096 characters": [
        "https://feed.example/" + "a" * (SERVICE_CHARACTERS_MAX - 20),
    ],
    "the service is not a URL: it has characters that a URL cannot have": [
        "my service",
        "https://feed.example\\@evil.example/",
        "https://feed.example/ä",
        "https://fäed.example/",
        *(f"https://feed.example/a{character}b" for character in ' \n\r\t\x00\x1f\x7f\\"<>^`{|}'),
    ],
    "only https and http have feeds": ["ftp://feed.example/", "file:///etc/passwd", "://feed.example/"],
    "the service is not a URL: write two slashes after the colon": [
        "file:/srv/simple/",
        "https:/feed.example/simple/",
        "https:/",
    ],
    "plain http is answered for loopback only: use https": [
        "http://feed.example/simple/",
        "http://127.0.0.1.evil.example/simple/",
    ],
    "the service is not a URL: its host is not one": [
        "",
        "https://",
        "https:///acme/",
        "https://feed.example./",
        "https://.feed.example/",
        "https://feed..example/",
        "https://-feed.example/",
        "https://feed.example-/",
    ],
    "the service is not a URL: its address is not one": [
        "https://[::1/",
        "https://[::1",
        "https://[::g]/",
        "https://[::1]8080/",
        "https://[::1]]:8080/",
    ],
    "the service is not a URL: its port is not one": [
        "https://feed.example:0/",
        "https://feed.example:65536/",
        "https://feed.example:000443/",
        "https://feed.example:8a/",
        "https://feed.example:+80/",
        "https://[::1]:0/",
    ],
    "the URL has dot segments": [
        "https://feed.example/a/../b",
        "https://feed.example/a/%2e%2E/b",
        "https://feed.example/./a",
        "https://feed.example/a/..",
        *(f"https://feed.example/a/{dots}/b" for dots in ("..;", ".;x=1", "%2e.;x", "..%3b", "..%3By")),
        "https://feed.example/..;x",
    ],
    "the URL has an encoded slash: where it is a path in GitLab, write its number instead": [
        *(f"https://feed.example/a%{code}b" for code in ("2f", "2F")),
    ],
    "the URL has an encoded backslash or control character": [
        *(f"https://feed.example/a%{code}b" for code in ("5C", "5c", "00", "0d%0a", "1f", "7F")),
    ],
    "the URL has a percent sign that is not an escape": [
        "https://feed.example/a%zz",
        "https://feed.example/a%4",
        "https://feed.example/a%",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("why", "text"), [(why, text) for why, texts in REFUSED.items() for text in texts])
def test_what_no_feed_can_be_is_refused_with_the_reason(why: str, text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_service(text)

    assert raised.value.detail == why


def test_the_longest_service_that_is_taken_apart() -> None:
    text = "https://feed.example/" + "a" * (SERVICE_CHARACTERS_MAX - 21)

    assert parse_service(text) == Url(
        Origin("https", "feed.example", 443), ("a" * (SERVICE_CHARACTERS_MAX - 21),)
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://feed.example/",
        "https://feed.example:8443/simple/",
        "http://localhost/",
        "http://127.0.0.1:8080/simple/",
        "http://[::1]:8080/simple/",
        "https://feed.example/a%20b/%C3%A4/",
    ],
)
def test_a_url_prints_as_it_is_written(url: str) -> None:
    assert str(parse_service(url)) == url


def test_a_configured_address_must_not_be_a_bare_host() -> None:
    with pytest.raises(BadRequest) as raised:
        parse_url("feed.example")

    assert raised.value.detail == "this is a host, not a URL: write https:// before it"


@pytest.mark.parametrize("host", ["localhost", "feed.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example", "128.0.0.1", "127.0.0.1.example", "feed.example", "::2"]
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


SEGMENTS = st.lists(st.from_regex(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,5}", fullmatch=True), max_size=5)


@given(SEGMENTS)
def test_a_url_parses_to_itself_again(segments: list[str]) -> None:
    url = Url(AZURE, tuple(segments))

    assert parse_service(str(url)) == url


@given(SEGMENTS, SEGMENTS)
def test_a_url_covers_exactly_what_begins_with_its_segments(above: list[str], below: list[str]) -> None:
    url = Url(AZURE, tuple(above))

    assert url.covers(Url(AZURE, (*above, *below)))
    assert not url.covers(Url(Origin("https", "pkgs.dev.azure.com.evil.example", 443), (*above, *below)))
    assert not above or not url.covers(Url(AZURE, (*above[:-1], above[-1] + "x", *below)))


@given(st.text(max_size=200))
def test_any_text_is_a_service_or_a_bad_request(text: str) -> None:
    try:
        parse_service(text)
    except BadRequest as failure:
        assert "\n" not in failure.detail  # noqa: PT017 - the other outcome is as good


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("https://me:secret@feed.example/simple/", True),
        ("https://:secret@feed.example", True),
        ("me:secret@feed.example/simple/", True),
        ("https://me@x:secret@feed.example/", True),
        ("https://me@feed.example:8443/simple/", False),
        ("https://me:@feed.example/simple/", False),
        ("https://feed.example:8443/a:b@c/", False),
        ("https://feed.example/?a:b@c", False),
        ("feed.example:8443/simple/", False),
    ],
)
def test_a_password_is_seen_in_the_userinfo_alone(text: str, *, has: bool) -> None:
    assert has_password(text) is has


@pytest.mark.parametrize(
    ("host", "heeds"),
    [
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("127.0.0.9", False),
        ("::1", False),
        ("feeds.localhost", False),
        ("169.254.169.254.evil.example", True),
        ("10.0.0.1", True),
        ("feeds.example.com", True),
    ],
)
def test_only_this_machine_and_its_own_link_are_asked_past_proxies(host: str, heeds: bool) -> None:
    assert heeds_proxies(host) is heeds
