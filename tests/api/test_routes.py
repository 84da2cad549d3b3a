"""The socket API's routes, asked in process: every answer, every problem, both forms."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.api.asgi import AsgiApp
from broker.api.backend import About
from broker.api.response import PLAIN, LookupResponse
from broker.core.access import PEER_EXTENSION, SOCKET_KIND_EXTENSION, Account, OwnSocket, SocketKind
from broker.core.failures import (
    BadConfiguration,
    BadRequest,
    Failure,
    NoSource,
    NotObtained,
    Refused,
    SignInNeeded,
    Unavailable,
)
from broker.core.feeds import Feed, FeedTable, Match, Realm, Recognised
from broker.core.learned_feeds import LEARNED_MAX
from broker.core.log_buffer import LogBuffer
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn, SignedOut
from broker.core.urls import parse_url
from broker.core.verdict import FeedAnswer, Verdict
from broker.daemon.shares import Shares
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_policy import RenewalPolicies
from broker.keeper.stats import Stats
from broker.providers.recognise.services import recognise
from tests.fake_clock import START, FakeClock, settle
from tests.fake_provider import Gatekeeper, Issuer

CORP = Feed("corp", Realm("fake", "acme"), (parse_url("https://feed.example/corp/simple/"),))
TOOLS = replace(CORP, name="tools", prefixes=(parse_url("https://feed.example/tools/simple/"),))
LABS = Feed(
    "labs",
    Realm("fake", "labs"),
    (parse_url("https://feed.example/labs/simple/"),),
    username="ci",
)
LEARNED_URL = "https://pkgs.dev.azure.com/acme/_packaging/x/pypi/simple/"


NO_RIGHT = "the credential from fake has no right to read this feed (403): ask its owner for the reader role"

OWN = OwnSocket()


class Directory:
    """The user and group databases: a test writes them. Satisfies `backend.Accounts`."""

    def __init__(self) -> None:
        self.users: dict[int, str] = {}
        self.groups: dict[str, set[str]] = {}

    async def caller(self, uid: int, groups: frozenset[str]) -> Account:
        user = self.users.get(uid)
        return Account(uid, user, frozenset(each for each in groups if user in self.groups.get(each, ())))


class Household:
    """The daemon as the routes see it, without a file or a socket."""

    def __init__(self, keeper: Keeper, gatekeeper: Gatekeeper) -> None:
        self.gatekeeper = gatekeeper
        self.about = About("1.2.3", 4242, "/run/broker.sock", "/config.toml", START)
        self.keeper = keeper
        self.stats = Stats()
        self.accounts = Directory()
        self.shares = Shares(Path("/nowhere"), 1001, clock=keeper.clock, feed_named=keeper.slot_table.named)
        self.log_buffer = LogBuffer()
        self.fault: BadConfiguration | None = None
        self.reload_failure: BadConfiguration | None = None
        self.auto: bool | frozenset[str] = frozenset({"google", "azure"})
        self.ca: Path | None = Path("/ca.pem")
        self.ending = asyncio.Event()
        self.signing: list[object] = []
        self.steps: list[LoginPage | SignedIn | Failure] = []
        self.leaving = asyncio.Event()
        self.leaving.set()

    async def reload(self) -> None:
        if self.reload_failure is not None:
            raise self.reload_failure

    async def sign_in(
        self, feed: Feed, ways: Sequence[LoginMethod], *, in_file: bool
    ) -> AsyncGenerator[LoginPage | SignedIn, None]:
        self.signing.append((feed.name, tuple(ways), in_file))
        try:
            for step in self.steps:
                if isinstance(step, Failure):
                    raise step
                yield step
            if not self.steps:
                await asyncio.Event().wait()
        finally:
            self.signing.append("over")

    async def sign_out(self, feed: Feed) -> SignedOut:
        if feed.name == "labs":
            raise BadRequest("fake has a sign-in of its own", hint="fake login")
        await self.leaving.wait()
        return SignedOut("dev@acme.example", ("a token that was handed out",))

    async def closing(self) -> None:
        await self.ending.wait()


def as_peer(app: ASGIApp, uid: int, socket_kind: SocketKind) -> ASGIApp:
    """The application as a user reaches it: with what `host.peer` says of them."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {
            PEER_EXTENSION: {"uid": uid, "gid": uid, "pid": 811},
            SOCKET_KIND_EXTENSION: socket_kind,
        }
        await app({**scope, "extensions": extensions}, receive, send)

    return asked


def client_of(household: Household, uid: int = 1001, socket_kind: SocketKind = OWN) -> httpx.AsyncClient:
    """Somebody who came in by this entrance."""
    transport = httpx.ASGITransport(app=as_peer(AsgiApp(household), uid, socket_kind))
    return httpx.AsyncClient(transport=transport, base_url="http://broker")


def learn(recognised: Recognised) -> Feed:
    return Feed("learned", Realm("fake", recognised.realm.authority), recognised.prefixes, configured=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def issuer(clock: FakeClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
async def household(clock: FakeClock, issuer: Issuer) -> AsyncIterator[Household]:
    gatekeeper = Gatekeeper()
    keeper = Keeper(
        clock=clock,
        table=FeedTable([CORP, TOOLS, LABS], recognise, learn),
        providers={"fake": issuer},
        policies=RenewalPolicies(),
        verify_at=gatekeeper,
        draw=lambda: 0.0,
    )
    yield Household(keeper, gatekeeper)
    keeper.close()
    await settle()


@pytest.fixture
async def client(household: Household) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(household) as client:
        yield client


async def credential(client: httpx.AsyncClient, url: str = str(CORP.url), **more: str) -> httpx.Response:
    return await client.get("/v1/credential", params={"url": url, **more})


async def line(client: httpx.AsyncClient, url: str = str(CORP.url), **more: str) -> httpx.Response:
    return await client.get("/v1/credential", params={"url": url, **more}, headers={"Accept": "text/plain"})


async def test_a_credential_is_json_with_its_end(client: httpx.AsyncClient) -> None:
    response = await credential(client)

    assert response.json() == {
        "feed": "corp",
        "username": "VssSessionToken",
        "password": "token-1",
        "expires_at": "2026-01-02T04:04:05Z",
    }


async def test_a_credential_without_an_end_says_null(client: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.life_s = None

    assert (await credential(client)).json()["expires_at"] is None


async def test_as_text_it_is_two_lines(client: httpx.AsyncClient) -> None:
    response = await line(client)

    assert response.text == "VssSessionToken\ntoken-1\n"
    assert response.headers["content-type"].startswith("text/plain")


async def test_the_username_that_was_asked_with_is_echoed(client: httpx.AsyncClient) -> None:
    assert (await line(client, username="somebody")).text == "somebody\ntoken-1\n"


FAILURES = [
    (SignInNeeded("the sign-in has expired", hint="az login"), 401, "sign-in-needed"),
    (Refused("no right to read"), 502, "refused"),
    (Unavailable("login.example cannot be reached", retry_after_s=17), 503, "unavailable"),
]


@pytest.mark.parametrize(("failure", "status", "slug"), FAILURES)
async def test_what_cannot_be_had_is_a_problem(
    client: httpx.AsyncClient, issuer: Issuer, failure: NotObtained, status: int, slug: str
) -> None:
    issuer.failure = failure
    response = await credential(client)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert list(body) == ["type", "title", "status", "detail", "hint", "feed"]
    assert (body["type"], body["status"], body["feed"]) == (slug, status, "corp")
    assert (body["detail"], body["hint"]) == (failure.detail, failure.hint)


async def test_unavailable_says_when_to_come_back(client: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.failure = Unavailable("throttled", retry_after_s=17)

    assert (await credential(client)).headers["retry-after"] == "17"


async def test_as_text_a_problem_is_one_line_ready_to_print(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    issuer.failure = SignInNeeded("the sign-in has expired", hint="az login")
    response = await line(client)

    assert response.status_code == 401
    assert response.text == "corp: the sign-in has expired; run: az login\n"


@pytest.mark.parametrize(
    ("url", "username", "status", "slug"),
    [
        ("https://nobody.example/simple/", "", 404, "no-feed"),
        ("poetry-repository-x", "", 404, "no-feed"),
        (str(LABS.url), "somebody", 404, "no-feed"),
        ("feed.example", "", 409, "ambiguous"),
        ("https://feed.example/corp/../labs/", "", 400, "bad-request"),
        ("http://feed.example/corp/simple/", "", 400, "bad-request"),
        ("https://feed.example/corp%2fsimple/", "", 400, "bad-request"),
        ("not a url", "", 400, "bad-request"),
        ("https://feed.example/" + "a" * 5000, "", 400, "bad-request"),
    ],
)
async def test_questions_without_an_answer_say_why(
    client: httpx.AsyncClient, url: str, username: str, status: int, slug: str
) -> None:
    response = await credential(client, url, username=username)

    assert (response.status_code, response.json()["type"]) == (status, slug)


UNSENDABLE = {
    "newline": "me\nevil",
    "return": "me\r",
    "tab": "m\te",
    "nul": "me\x00",
    "escape": "\x1b[2Jme",
    "delete": "me\x7f",
    "c1": "me\x9b",
    "foreign": "jürgen",
    "surrogate": "j\ufffdrgen",
    "blank": "me ",
    "long": "m" * 10_000,
}


@pytest.mark.parametrize("username", UNSENDABLE.values(), ids=UNSENDABLE)
@pytest.mark.parametrize("route", ["/v1/credential", "/v1/match"])
async def test_a_username_that_cannot_stand_in_an_answer_is_a_bad_request(
    client: httpx.AsyncClient, route: str, username: str
) -> None:
    query = {"url": str(CORP.url), "username": username}

    told = await client.get(route, params=query)
    text = await client.get(route, params=query, headers={"Accept": "text/plain"})

    assert (told.status_code, told.json()["type"]) == (400, "bad-request")
    assert told.json()["detail"].startswith("the username cannot stand in an answer: it is ")
    assert text.status_code == 400
    assert text.text.endswith(f"{told.json()['detail']}\n")
    assert text.text.count("\n") == 1


@pytest.mark.parametrize("username", UNSENDABLE.values(), ids=UNSENDABLE)
async def test_a_username_that_cannot_stand_in_an_answer_is_explained(
    client: httpx.AsyncClient, username: str
) -> None:
    told = await client.post("/v1/explain", params={"url": str(CORP.url), "username": username})

    assert "the username cannot stand in an answer" in told.text.splitlines()[-1]


async def test_any_username_for_what_is_no_feed_is_passed_on(client: httpx.AsyncClient) -> None:
    told = await credential(client, "https://elsewhere.example/", username="jürgen")

    assert told.status_code == 404


@pytest.mark.parametrize(
    "query", ["", "url=https://feed.example/&wait=soon", "url=https://feed.example/&wait=-1"]
)
async def test_a_malformed_question_is_a_problem_too(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/v1/credential?{query}")

    assert (response.status_code, response.json()["type"]) == (400, "bad-request")


async def test_a_learned_feed_without_any_sign_in_is_no_feed(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    issuer.failure = NoSource("az is not installed", hint="brokerctl doctor")

    assert (await credential(client, LEARNED_URL)).status_code == 404


async def test_a_configured_feed_without_any_sign_in_needs_one(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    issuer.failure = NoSource("az is not installed", hint="brokerctl doctor")

    assert (await credential(client)).status_code == 401


async def test_a_broken_configuration_is_told_to_everybody_who_asks(
    client: httpx.AsyncClient, household: Household
) -> None:
    household.fault = BadConfiguration("config.toml, line 3: unknown key tll, did you mean ttl?")
    response = await credential(client)

    assert (response.status_code, response.json()["type"]) == (500, "bad-configuration")
    assert "line 3" in response.json()["detail"]
    assert (await client.get("/v1/status")).json()["error"] == household.fault.detail


@pytest.mark.parametrize(
    "order",
    [*(f"feeds/corp/{verb}" for verb in ("refresh", "forget", "verify", "login", "logout")),
     "shares/dev?feed=corp&for=60"],
)  # fmt: skip
async def test_a_broken_configuration_is_told_to_who_orders_something_of_a_feed(
    client: httpx.AsyncClient, household: Household, order: str
) -> None:
    household.fault = BadConfiguration("config.toml, line 3: unknown key tll, did you mean ttl?")

    response = await client.post(f"/v1/{order}")

    assert (response.status_code, response.json()["type"]) == (500, "bad-configuration")
    assert (response.json()["detail"], response.json()["hint"]) == (
        household.fault.detail,
        "brokerctl reload",
    )


async def test_plain_words_are_passed_on_even_then(client: httpx.AsyncClient, household: Household) -> None:
    household.fault = BadConfiguration("config.toml, line 3: unknown key")

    assert (await credential(client, "poetry-repository-x")).status_code == 404


async def test_a_match_fetches_nothing(client: httpx.AsyncClient, issuer: Issuer) -> None:
    response = await client.get("/v1/match", params={"url": str(TOOLS.url) + "requests/"})

    body = response.json()
    assert (body["feed"], body["realm"], body["scope"], body["configured"]) == (
        "tools",
        "fake:acme",
        "read",
        True,
    )
    assert issuer.asked == []


async def test_a_match_names_the_user_that_the_held_secret_came_with(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    issuer.owner = "jane"
    await credential(client)

    response = await client.get("/v1/match", params={"url": str(CORP.url)})

    assert response.json()["username"] == "jane"


async def test_a_match_of_an_unconfigured_realm_learns_nothing(
    client: httpx.AsyncClient, household: Household
) -> None:
    response = await client.get("/v1/match", params={"url": LEARNED_URL})

    assert response.json()["configured"] is False
    assert [feed.name for feed in household.keeper.slot_table.feeds()] == ["corp", "tools", "labs"]


STATUS_KEYS = [
    "version", "pid", "socket", "config", "started_at", "uptime_s", "lookups", "recent", "feeds",
]  # fmt: skip
FEED_KEYS = [
    "name", "provider", "realm", "urls", "configured", "usable", "state", "since", "source", "account",
    "tenant", "scope", "username", "obtained_at", "expires_at", "refresh_at", "ttl_s", "left_s",
    "lookups", "fetches", "last_used_at", "error", "hint",
]  # fmt: skip


async def test_status_has_the_contracts_keys(client: httpx.AsyncClient) -> None:
    await credential(client)
    status = (await client.get("/v1/status")).json()

    assert [key for key in status if key in STATUS_KEYS] == STATUS_KEYS
    assert [key for key in status["feeds"][0] if key in FEED_KEYS] == FEED_KEYS
    assert list(status["recent"][0]) == [
        "at",
        "uid",
        "pid",
        "url",
        "feed",
        "outcome",
        "hint",
        "verdict",
        "error",
    ]


async def test_paths_that_are_not_utf_8_are_told(client: httpx.AsyncClient, household: Household) -> None:
    odd = os.fsdecode(b"/home/\xff")
    household.about = replace(household.about, config=odd)
    household.log_buffer.add(odd)

    status = await client.get("/v1/status")
    logs = await client.get("/v1/logs")

    assert status.json()["config"] == odd
    assert logs.json()["lines"] == [odd]
    assert (
        LookupResponse(502, PLAIN, f"{odd} is not text\n").written().endswith(b"/home/\\udcff is not text\n")
    )


async def test_status_tells_what_is_learned_and_whom_the_configuration_trusts(
    client: httpx.AsyncClient, household: Household
) -> None:
    some = (await client.get("/v1/status")).json()
    household.auto, household.ca = True, None
    all_ = (await client.get("/v1/status")).json()

    assert (some["auto"], some["ca"]) == (["azure", "google"], "/ca.pem")
    assert (all_["auto"], all_["ca"]) == (True, None)


async def test_status_tells_a_feeds_life(client: httpx.AsyncClient, clock: FakeClock) -> None:
    await credential(client)
    clock.suspend(60)
    corp, tools, labs = (await client.get("/v1/status")).json()["feeds"]

    assert (corp["state"], corp["usable"], corp["left_s"], corp["ttl_s"]) == ("fresh", True, 3540, 3000)
    assert corp["refresh_at"] == "2026-01-02T03:54:05Z"
    assert (corp["lookups"], corp["fetches"], corp["shares"]) == (1, 1, None)
    assert (tools["state"], tools["shares"], tools["lookups"]) == ("fresh", "corp", 0)
    assert (labs["state"], labs["usable"], labs["left_s"]) == ("empty", False, None)


async def test_status_counts_outcomes_and_remembers_the_last_twenty(client: httpx.AsyncClient) -> None:
    await credential(client)
    for _ in range(20):
        await credential(client)
    await credential(client, "https://user:TBKTEST@nobody.example/x/")
    status = (await client.get("/v1/status")).json()

    assert status["lookups"] == {"hit": 20, "wait": 1, "miss": 1, "error": 0}
    assert len(status["recent"]) == 20
    assert status["recent"][-1]["url"] == "https://nobody.example/x/"
    assert status["recent"][-1]["outcome"] == "miss"


async def test_no_route_that_looks_shows_a_secret(client: httpx.AsyncClient) -> None:
    await credential(client)
    for path in ("/v1/status", "/metrics", "/openapi.json", "/v1/health"):
        assert "token-1" not in (await client.get(path)).text


async def test_refresh_answers_the_new_status(client: httpx.AsyncClient, issuer: Issuer) -> None:
    await credential(client)
    response = await client.post("/v1/feeds/corp/refresh")

    assert (response.json()["state"], response.json()["fetches"]) == ("fresh", 2)
    assert len(issuer.asked) == 2


async def test_a_refresh_that_fails_says_why(client: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.failure = Refused("bad secret")
    response = await client.post("/v1/feeds/corp/refresh")

    assert (response.status_code, response.json()["detail"]) == (502, "bad secret")


async def test_forget_empties_the_feed_and_those_who_share(client: httpx.AsyncClient) -> None:
    await credential(client)
    response = await client.post("/v1/feeds/tools/forget")

    assert response.json()["state"] == "empty"
    assert (await client.get("/v1/status")).json()["feeds"][0]["state"] == "empty"


@pytest.mark.parametrize("verb", ["refresh", "forget"])
async def test_orders_for_a_feed_that_is_none_are_refused(client: httpx.AsyncClient, verb: str) -> None:
    response = await client.post(f"/v1/feeds/nothing/{verb}")

    assert (response.status_code, response.json()["type"]) == (404, "no-feed")


async def test_a_reload_lists_the_feeds(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/reload")).json() == {"feeds": ["corp", "tools", "labs"]}


async def test_a_broken_reload_is_a_422_that_says_where(
    client: httpx.AsyncClient, household: Household
) -> None:
    household.reload_failure = BadConfiguration("config.toml, line 3: unknown key tll")
    response = await client.post("/v1/reload")

    assert (response.status_code, response.json()["type"]) == (422, "bad-configuration")
    assert response.json()["detail"] == "config.toml, line 3: unknown key tll"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "broker.evil.example"}, 400),
        ({"Host": ""}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Referer": "https://evil.example/"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-Forwarded-For": "10.0.0.1"}, 403),
        ({"Host": "localhost"}, 200),
        ({"Host": "broker:80"}, 200),
        ({"Host": "BROKER"}, 200),
        ({"Host": "LocalHost:80"}, 200),
    ],
)
async def test_browsers_and_other_hosts_are_turned_away(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await client.get("/v1/health", headers=headers)).status_code == status


async def test_a_method_that_a_route_lacks_is_answered_with_those_it_has(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/status")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/v1/status", 405)]
)
async def test_what_is_no_route_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)

    assert (response.status_code, response.json()["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"


async def test_metrics_count_look_ups_fetches_and_life(client: httpx.AsyncClient) -> None:
    await credential(client)
    await credential(client)
    text = (await client.get("/metrics")).text

    assert 'token_broker_lookups_total{feed="corp",outcome="hit"} 1.0' in text
    assert 'token_broker_lookups_total{feed="corp",outcome="wait"} 1.0' in text
    assert 'token_broker_fetches_total{feed="corp",outcome="ok"} 1.0' in text
    assert 'token_broker_token_life_seconds{feed="corp"} 3600.0' in text
    assert "token_broker_lookup_seconds_count 2.0" in text


async def test_events_tell_each_change_of_state_until_the_daemon_ends(
    household: Household, issuer: Issuer
) -> None:
    from broker.api.routes_status import _changes  # noqa: PLC0415 - httpx's in-process transport cannot stream

    own = {"extensions": {PEER_EXTENSION: {"uid": 1001}, SOCKET_KIND_EXTENSION: OWN}}
    stream = _changes(household, own)
    assert await anext(stream) == ": listening\n\n"
    issuer.failure = Refused("bad secret")
    with pytest.raises(Refused):
        await household.keeper.refresh(Match(CORP, CORP.key(), "test"))
    first = await anext(stream)
    household.ending.set()
    rest = [piece async for piece in stream]

    event, data, *_ = first.split("\n")
    assert event == "event: feed"
    assert json.loads(data.removeprefix("data: "))["state"] == "refused"
    assert all(piece.startswith(("event: feed", ":")) for piece in rest)


async def test_logs_are_the_lines_after_those_that_were_seen(
    household: Household, client: httpx.AsyncClient
) -> None:
    household.log_buffer.add("one\ntwo")
    seen = await client.get("/v1/logs")
    household.log_buffer.add("three")
    new = await client.get("/v1/logs?after=2")
    nothing = await client.get("/v1/logs?after=3")

    assert seen.json() == {"lines": ["one", "two"], "last": 2}
    assert new.json() == {"lines": ["three"], "last": 3}
    assert nothing.json() == {"lines": [], "last": 3}


async def test_a_route_with_a_slash_too_many_is_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/match/?url=packages.example")

    assert (answer.status_code, answer.json()["type"]) == (404, "bad-request")


async def test_the_openapi_page_names_every_route(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    assert {
        "/v1/credential", "/v1/match", "/v1/status", "/v1/feeds/{name}/refresh", "/v1/feeds/{name}/forget",
        "/v1/reload", "/v1/events", "/metrics", "/v1/health",
    } <= set(paths)  # fmt: skip


async def test_an_expired_token_is_never_answered(
    client: httpx.AsyncClient, clock: FakeClock, issuer: Issuer
) -> None:
    await credential(client)
    issuer.failure = Unavailable("down")
    clock.suspend(timedelta(hours=1).total_seconds())

    assert (await credential(client)).status_code == 503


async def told(client: httpx.AsyncClient, url: str) -> list[tuple[str, str, bool | None]]:
    response = await client.post("/v1/explain", params={"url": url})
    return [tuple(json.loads(each).values()) for each in response.text.splitlines()]


async def test_explain_walks_a_look_up_to_its_answer(client: httpx.AsyncClient) -> None:
    steps = await told(client, str(TOOLS.url))

    assert [step for step, _, _ in steps] == ["feed", "realm", "signed in", "answer", "verified"]
    assert steps[1] == ("realm", "fake:acme, shared with corp", None)
    assert steps[2] == ("signed in", "fake", True)
    assert steps[3] == (
        "answer", "VssSessionToken and 7 characters, ends 04:04 UTC, replaced at 03:54 UTC", True,
    )  # fmt: skip
    assert steps[4] == ("verified", "the feed takes it", True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            FeedAnswer(Verdict.UNKNOWN, unasked="feed.example answers 503"),
            "the feed could not be asked: feed.example answers 503",
        ),
        (FeedAnswer(Verdict.UNKNOWN, said="404"), "the feed said 404, which is neither yes nor no"),
        (FeedAnswer(Verdict.FORBIDDEN, said='403: "no"'), 'the feed said 403: "no"'),
        (
            FeedAnswer(Verdict.UNAUTHORISED, said="203, a page"),
            "the feed said 203, a page: it does not take it",
        ),
    ],
)
async def test_explain_says_what_the_feed_said_now_whatever_it_said_before(
    client: httpx.AsyncClient, household: Household, answer: FeedAnswer, words: str
) -> None:
    assert ("verified", "the feed takes it", True) in await told(client, str(CORP.url))
    household.gatekeeper.words = [answer] * 4

    steps = await told(client, str(CORP.url))

    assert [text for step, text, _ in steps if step == "verified"] == [words]


async def test_explain_ends_with_what_failed_and_what_to_type(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    issuer.failure = SignInNeeded("the sign-in has expired", hint="az login")
    steps = await told(client, str(CORP.url))

    assert steps[-2:] == [("your turn", "the sign-in has expired", False), ("hint", "az login", None)]


async def test_explain_ends_with_the_no_of_the_feed(client: httpx.AsyncClient, household: Household) -> None:
    household.gatekeeper.words = [Verdict.FORBIDDEN] * 2
    steps = await told(client, str(CORP.url))

    assert steps[-3:] == [
        ("verified", "the feed said 403: the right to read it is missing", False),
        ("failed", NO_RIGHT, False),
        ("hint", "brokerctl refresh corp", None),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ("accepted", None, None)),
        ([Verdict.UNAUTHORISED], ("accepted", None, None)),
        ([Verdict.FORBIDDEN], ("rejected", NO_RIGHT, "brokerctl refresh corp")),
        ([Verdict.UNKNOWN], ("unknown", None, None)),
    ],
)
async def test_a_feed_that_is_asked_answers_in_its_status(
    client: httpx.AsyncClient, household: Household, words: list[Verdict], told: tuple[str | None, ...]
) -> None:
    household.gatekeeper.words = [*words]
    answer = await client.post("/v1/feeds/corp/verify")

    assert answer.status_code == 200
    assert tuple(answer.json()[key] for key in ("verdict", "error", "hint")) == told


async def test_a_feed_without_a_sign_in_is_asked_nothing(
    client: httpx.AsyncClient, issuer: Issuer, household: Household
) -> None:
    issuer.failure = SignInNeeded("the sign-in has expired", hint="az login")
    answer = await client.post("/v1/feeds/corp/verify")

    assert (answer.json()["state"], answer.json()["hint"]) == ("sign-in-needed", "az login")
    assert household.gatekeeper.heard == []


async def test_asking_a_feed_that_there_is_not_is_a_problem(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/feeds/nobody/verify")).status_code == 404


@pytest.mark.parametrize(
    ("service", "line"),
    [
        ("https://nobody.example/simple/", "brokerctl add https://nobody.example/simple/"),
        ("nobody.example", "brokerctl status"),
    ],
)
async def test_explain_says_that_a_service_is_no_feed(
    client: httpx.AsyncClient, service: str, line: str
) -> None:
    assert await told(client, service) == [
        ("failed", "no feed has this address", False),
        ("hint", line, None),
    ]


async def test_explain_shows_no_username_that_is_half_of_a_secret(
    client: httpx.AsyncClient, issuer: Issuer
) -> None:
    issuer.owner, issuer.hides_owner = "s3cret-name", True

    explained = (await client.post("/v1/explain", params={"url": str(CORP.url)})).text

    assert "a secret user name and 7 characters" in explained
    assert "s3cret-name" not in explained


async def test_explain_shows_no_secret(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/explain", params={"url": str(CORP.url)})

    assert "token-1" not in response.text


@pytest.mark.parametrize(("username", "status"), [("", 200), ("me", 200), ("other", 404)])
async def test_a_secret_that_came_with_its_username_goes_with_no_other(
    client: httpx.AsyncClient, issuer: Issuer, username: str, status: int
) -> None:
    issuer.owner = "me"

    assert (await credential(client, username=username)).status_code == status


async def test_a_full_table_of_learned_feeds_is_told_to_the_client(client: httpx.AsyncClient) -> None:
    for number in range(LEARNED_MAX):
        assert (await line(client, f"https://pkgs.dev.azure.com/org{number}/")).status_code == 200
    response = await line(client, LEARNED_URL.replace("acme", "late"))

    assert response.status_code == 503  # a 404 would be passed on without a word
    assert "was not learned: 64 others that need no [[feed]] are in use already" in response.text
    assert response.text.endswith(
        "; run: brokerctl add https://pkgs.dev.azure.com/late/_packaging/x/pypi/simple/\n"
    )
