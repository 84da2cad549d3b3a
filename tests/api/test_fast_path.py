"""Look-ups that are answered on the doorstep, against the long way to the same answers."""

import inspect
from pathlib import Path
from urllib.parse import quote

import pytest

from broker.api.asgi import AsgiApp
from broker.api.fast_path import _read_before, replies_of
from broker.api.fastapi_app import create_app
from broker.api.lookup import FinalResponse
from broker.core.failures import Unavailable
from broker.server.ucred import Peer
from tests.api.test_routes import CORP, LABS, LEARNED_URL, Household, clock, household, issuer
from tests.fake_clock import FakeClock
from tests.fake_provider import Issuer
from tests.server.serving import serving

__all__ = ["clock", "household", "issuer"]

PEER = Peer(1000, 1000, 4242)
URL = quote(str(CORP.url), safe="")


def lookup(query: str) -> bytes:
    return (
        f"GET /v1/credential?{query} HTTP/1.1\r\n"
        "Host: broker\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    "query",
    [
        f"url={URL}",
        f"url={URL}&username=somebody&wait=29.500",
        f"url={URL}&username=",
        f"username=u&url={URL}x/y.whl",
        f"url={quote(str(LABS.url))}&username=nobody",
        "url=poetry-repository-x",
        "url=feed.example",
        "url=https%3A%2F%2Felsewhere.example%2F&username=x%0Ay",
        "url=a.example&username=" + "x" * 2000,
        f"url={quote(LEARNED_URL)}",
    ],
)
async def test_the_short_way_answers_to_the_byte_what_the_long_way_does(
    place: Path, household: Household, query: str
) -> None:
    app, reply = AsgiApp(household), replies_of(household)
    async with serving(place, app) as served:
        long_way = await served.send(lookup(query))

    short_way = reply(lookup(query), PEER)

    assert isinstance(short_way, FinalResponse)
    assert short_way.words == long_way


@pytest.mark.parametrize("path", ["/v1/health", "/v1/status", "/v1/status?short=1"])
async def test_who_only_looks_is_answered_on_the_doorstep_as_the_route_would(
    place: Path, household: Household, path: str
) -> None:
    asked = f"GET {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n".encode()
    front = AsgiApp(household)
    async with serving(place, create_app(household)) as served:
        of_the_route = await served.send(asked)

    async with serving(place, front) as served:
        answer = await served.send(asked)

    assert answer == of_the_route
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert front._rest is None, "FastAPI was loaded"


@pytest.mark.parametrize("failure", [None, Unavailable("no answer", retry_after_s=7)], ids=["token", "why"])
async def test_what_takes_a_fetch_is_answered_to_the_byte_as_the_long_way_does(
    place: Path, household: Household, issuer: Issuer, failure: Unavailable | None
) -> None:
    issuer.failure, issuer.same = failure, True
    coming = replies_of(household)(lookup(f"url={URL}"), PEER)
    assert inspect.iscoroutine(coming)

    short_way, enter = await coming
    assert sum(household.stats.totals().values()) == 0, "nobody waits for it"
    enter()
    told = household.stats.totals()
    household.keeper.forget_all()
    async with serving(place, AsgiApp(household)) as served:
        long_way = await served.send(lookup(f"url={URL}"))

    assert short_way == long_way
    assert household.stats.totals() == {outcome: 2 * count for outcome, count in told.items()}


async def test_a_short_answer_is_in_the_ledger(place: Path, household: Household, clock: FakeClock) -> None:
    reply = replies_of(household)
    async with serving(place, AsgiApp(household)) as served:
        await served.send(lookup(f"url={URL}"))

    given = [reply(lookup(f"url={URL}"), PEER), reply(lookup("url=elsewhere.example"), PEER)]
    assert household.stats.totals() == {"hit": 0, "wait": 1, "miss": 0, "error": 0}, "nobody waits for it"
    took_s = household.stats.latency_sum_s
    await clock.advance(5)
    for each in given:
        assert isinstance(each, FinalResponse)
        each.enter()

    assert household.stats.totals() == {"hit": 1, "wait": 1, "miss": 1, "error": 0}
    assert household.stats.latency_sum_s == took_s, "the giving is not counted"
    assert [(each.pid, each.feed) for each in household.stats.recent][1:] == [(4242, "corp"), (4242, None)]


@pytest.mark.parametrize("url", ["", "ftp://feed.example/", "%", "x" * 5000])
async def test_what_is_no_address_is_told_the_long_way(household: Household, url: str) -> None:
    assert replies_of(household)(lookup(f"url={url}"), PEER) is None


@pytest.mark.parametrize(
    ("userinfo", "remembered"), [("", True), ("dev:hunter2@", False), (quote("dev:hunter2@"), False)]
)
async def test_a_request_is_remembered_unless_it_may_hold_a_password(
    place: Path, household: Household, userinfo: str, remembered: bool
) -> None:
    reply = replies_of(household)
    words = lookup(f"url=https://{userinfo}feed.example/corp/&wait={len(userinfo)}.25")
    async with serving(place, AsgiApp(household)) as served:
        await served.send(words)

    before = _read_before.cache_info().currsize + _read_before.cache_info().hits
    answers = [reply(words, PEER), reply(words, PEER)]

    first, second = answers
    assert isinstance(first, FinalResponse)
    assert isinstance(second, FinalResponse)
    assert first.words == second.words
    assert (_read_before.cache_info().currsize + _read_before.cache_info().hits > before) is remembered


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b"GET", b"POST"),
        (b"GET", b"get"),
        (b"/v1/credential", b"/v1/match"),
        (b"/v1/credential?", b"/v1/credential?wait=1&"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Host: broker", b"Host: evil.example"),
        (b"Host: broker\r\n", b""),
        (b"Accept: text/plain", b"Accept: application/json"),
        (b"Connection: close", b"Connection: keep-alive"),
        (b"Accept:", b"Origin: https://evil.example\r\nAccept:"),
        (b"Accept:", b"Content-Length: 5\r\nAccept:"),
        (b"\r\n\r\n", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        (b"\r\n\r\n", b"\r\n"),
        (b"\r\n", b"\n"),
        (b"url=", b"url=\xff"),
        (b"url=", b"url=a b"),
        (b"&wait=1", b"&wait=-1"),
        (b"&wait=1", b"&wait=soon"),
        (b"&wait=1", b"&wait=1&wait=2"),
        (b"&wait=1", b"&unknown=1"),
    ],
)
async def test_all_but_the_shims_own_words_take_the_long_way(
    place: Path, household: Household, part: bytes, other: bytes
) -> None:
    reply, words = replies_of(household), lookup(f"url={URL}&wait=1")
    async with serving(place, AsgiApp(household)) as served:
        await served.send(words)
    assert reply(words, PEER) is not None

    assert reply(words.replace(part, other, 1), PEER) is None
