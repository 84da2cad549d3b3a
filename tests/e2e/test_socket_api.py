"""The socket API of CONTRACT section 4, spoken to the real daemon with requests written out by hand."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD, Household, feed, household
from tests.e2e.patience import until
from tests.e2e.wire import JSON, TEXT, Answer, Events, Wire, read_answer, request_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHARED = "https://shared.example"
"""The origin of two feeds with different passwords, which nobody serves."""

ROUTES = {
    "/v1/credential",
    "/v1/match",
    "/v1/status",
    "/v1/feeds/{name}/refresh",
    "/v1/feeds/{name}/forget",
    "/v1/reload",
    "/v1/events",
    "/v1/health",
    "/metrics",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Household]:
    with household() as made:
        made.configure(
            made.plain_feed()
            + made.plain_feed("left", url=f"{SHARED}/left/")
            + made.plain_feed("right", url=f"{SHARED}/right/", password="another-one")
            + made.plain_feed("moody", url="https://moody.example/simple/")
            + made.plain_feed("unsigned", url="https://unsigned.example/simple/")
            + made.plain_feed("open", url="https://open.example/simple/")
            + feed("down", "https://down.example/simple/", 'provider = "command"\ncommand = "false"')
        )
        (made.home / "unsigned.secret").unlink()
        (made.home / "open.secret").chmod(0o644)
        yield made


@pytest.fixture(scope="module")
def wire(shared: Household) -> Iterator[Wire]:
    with shared.forked_brokerd() as broker:
        until(
            lambda: all(feed["state"] != "empty" for feed in broker.wire.status()["feeds"]), "first fetches"
        )
        yield broker.wire


def assert_problem(answer: Answer, status: int, slug: str) -> None:
    assert (answer.status, answer.kind) == (status, "application/problem+json")
    problem = answer.json
    assert problem.keys() == {"type", "title", "status", "detail", "hint", "feed"}
    assert (problem["status"], problem["type"]) == (status, slug)
    assert problem["detail"]


def test_look_up_is_answered_in_json(wire: Wire) -> None:
    answer = wire.look_up(PLAIN_FEED)

    assert (answer.status, answer.kind) == (200, JSON)
    assert answer.json == {"feed": "plain", "username": "ci", "password": PLAIN_PASSWORD, "expires_at": None}


def test_look_up_is_answered_in_two_lines(wire: Wire) -> None:
    answer = wire.look_up(PLAIN_FEED, accept=TEXT)

    assert (answer.status, answer.kind) == (200, TEXT)
    assert answer.text == f"ci\n{PLAIN_PASSWORD}\n"


def test_match_names_the_feed_without_fetching(wire: Wire) -> None:
    configured = wire.get("/v1/match", url="https://down.example/simple/demo-package/")
    learned = wire.get("/v1/match", url="https://pkgs.dev.azure.com/unasked/_packaging/it/pypi/simple/")

    assert (configured.status, learned.status) == (200, 200)
    assert configured.json.items() >= {"feed": "down", "provider": "command", "configured": True}.items()
    assert learned.json.items() >= {"feed": "unasked", "provider": "azure", "configured": False}.items()
    # a look-up would have made it one of the status's feeds; the configured one is renewed by itself
    assert "unasked" not in {each["name"] for each in wire.status()["feeds"]}


PROBLEMS = {
    "not a URL": ("ftp://packages.example/", 400, "bad-request"),
    "plain http": ("http://packages.example/simple/", 400, "bad-request"),
    "dot segments": ("https://packages.example/simple/../admin/", 400, "bad-request"),
    "an encoded slash": ("https://packages.example/simple%2f..%2fadmin/", 400, "bad-request"),
    "a control character": ("https://packages.example/simple/\nplanted", 400, "bad-request"),
    "too long": ("https://packages.example/" + "a" * 4096, 400, "bad-request"),
    "nobody's feed": ("https://elsewhere.example/simple/", 404, "no-feed"),
    "a host that looks like a feed's": ("https://packages.example.evil/simple/", 404, "no-feed"),
    "a host of two credentials": ("shared.example", 409, "ambiguous"),
    "a secret that is not there": ("https://unsigned.example/simple/", 401, "sign-in-needed"),
    "a secret that everybody may read": ("https://open.example/simple/", 502, "refused"),
    "a program that fails": ("https://down.example/simple/", 503, "unavailable"),
}


@pytest.mark.parametrize(("url", "status", "slug"), PROBLEMS.values(), ids=PROBLEMS)
def test_look_up_without_an_answer_is_a_problem(wire: Wire, url: str, status: int, slug: str) -> None:
    answer = wire.look_up(url)

    assert_problem(answer, status, slug)
    assert ("retry-after" in answer.headers) is (status == 503)


@pytest.mark.parametrize(("url", "status", "slug"), PROBLEMS.values(), ids=PROBLEMS)
def test_problem_in_plain_text_is_one_line(wire: Wire, url: str, status: int, slug: str) -> None:
    answer = wire.look_up(url, accept=TEXT)

    assert (answer.status, answer.kind) == (status, TEXT), slug
    assert answer.text.endswith("\n")
    assert answer.text.strip().isprintable()


def test_another_username_is_nobodys_feed(wire: Wire) -> None:
    assert_problem(wire.look_up(PLAIN_FEED, username="somebody"), 404, "no-feed")


@pytest.mark.parametrize("query", ["", "?url=", f"?url={PLAIN_FEED}&wait=soon", f"?url={PLAIN_FEED}&wait=-1"])
def test_look_up_with_unfit_parameters_is_a_bad_request(wire: Wire, query: str) -> None:
    assert_problem(wire.get(f"/v1/credential{query}"), 400, "bad-request")


HONEST: Mapping[str, str] = {"Host": "broker"}
REFUSED_HEADERS = {
    "another host": ({"Host": "attacker.example"}, 400),
    "an empty host": ({"Host": ""}, 400),
    "a host that begins like ours": ({"Host": "localhost.attacker.example"}, 400),
    "Origin": ({**HONEST, "Origin": "https://attacker.example"}, 403),
    "Origin null": ({**HONEST, "Origin": "null"}, 403),
    "Referer": ({**HONEST, "Referer": "https://attacker.example/"}, 403),
    "Sec-Fetch-Mode": ({**HONEST, "Sec-Fetch-Mode": "no-cors"}, 403),
    "X-Forwarded-For": ({**HONEST, "X-Forwarded-For": "192.0.2.1"}, 403),
}
SLUGS = {400: "bad-request", 403: "not-allowed"}


@pytest.mark.parametrize(("headers", "status"), REFUSED_HEADERS.values(), ids=REFUSED_HEADERS)
def test_look_up_that_a_browser_or_proxy_could_send_is_refused(
    wire: Wire, headers: Mapping[str, str], status: int
) -> None:
    answer = wire.send("GET", f"/v1/credential?url={PLAIN_FEED}", headers)

    assert_problem(answer, status, SLUGS[status])


@pytest.mark.parametrize(("headers", "status"), REFUSED_HEADERS.values(), ids=REFUSED_HEADERS)
def test_order_that_a_browser_or_proxy_could_send_is_refused_and_not_carried_out(
    wire: Wire, headers: Mapping[str, str], status: int
) -> None:
    wire.look_up(PLAIN_FEED)

    answer = wire.send("POST", "/v1/feeds/plain/forget", headers)

    assert_problem(answer, status, SLUGS[status])
    assert wire.feed("plain")["state"] == "fresh"


@pytest.mark.parametrize("host", ["broker", "localhost", "broker:80"])
def test_own_host_names_are_welcome(wire: Wire, host: str) -> None:
    assert wire.send("GET", "/v1/health", {"Host": host}).status == 200


def test_request_without_a_host_is_refused(wire: Wire) -> None:
    assert wire.send("GET", "/v1/health", {}).status == 400


def test_status_has_every_key_of_the_contract(wire: Wire, shared: Household) -> None:
    for _ in range(2):
        wire.look_up(PLAIN_FEED)

    status = wire.status()

    assert status.keys() >= {"version", "pid", "started_at", "uptime_s", "lookups", "recent", "feeds"}
    assert (status["socket"], status["config"]) == (str(shared.socket), str(shared.config))
    assert status["lookups"].keys() == {"hit", "wait", "miss", "error"}
    assert status["recent"][-1].items() >= {"url": PLAIN_FEED, "feed": "plain", "outcome": "hit"}.items()
    feed = wire.feed("plain")
    assert feed.keys() >= {
        *("name", "provider", "realm", "urls", "configured", "usable", "state", "since", "source", "account"),
        *("tenant", "scope", "username", "obtained_at", "expires_at", "refresh_at", "ttl_s", "left_s"),
        *("lookups", "fetches", "last_used_at", "error", "hint"),
    }
    assert (feed["state"], feed["usable"], feed["username"]) == ("fresh", True, "ci")


def test_refresh_answers_with_what_it_fetched(wire: Wire, shared: Household) -> None:
    shared.keep_secret("moody.secret", "replaced")
    before = wire.feed("moody")["fetches"]

    answer = wire.post("/v1/feeds/moody/refresh")

    assert answer.status == 200
    assert (answer.json["state"], answer.json["fetches"]) == ("fresh", before + 1)
    assert wire.look_up("https://moody.example/simple/").password == "replaced"


def test_refresh_that_fails_says_why(wire: Wire) -> None:
    answer = wire.post("/v1/feeds/down/refresh")

    assert_problem(answer, 503, "unavailable")
    assert answer.json["feed"] == "down"


def test_forgotten_credential_is_fetched_anew_by_the_next_look_up(wire: Wire) -> None:
    before = wire.feed("plain")["fetches"]

    answer = wire.post("/v1/feeds/plain/forget")

    assert (answer.status, answer.json["state"], answer.json["usable"]) == (200, "empty", False)
    assert wire.look_up(PLAIN_FEED).status == 200
    assert wire.feed("plain")["fetches"] == before + 1


@pytest.mark.parametrize("order", ["refresh", "forget"])
def test_order_for_an_unknown_feed_is_no_feed(wire: Wire, order: str) -> None:
    assert_problem(wire.post(f"/v1/feeds/nobody/{order}"), 404, "no-feed")


def test_reload_names_the_feeds(wire: Wire) -> None:
    answer = wire.post("/v1/reload")

    assert answer.status == 200
    assert answer.json["feeds"][0] == "plain"


@pytest.mark.parametrize(
    ("method", "target", "status"), [("GET", "/v1/nothing", 404), ("PUT", "/v1/reload", 405)]
)
def test_what_is_no_route_is_a_bad_request(wire: Wire, method: str, target: str, status: int) -> None:
    assert_problem(wire.send(method, target), status, "bad-request")


def test_each_change_of_a_feeds_state_is_an_event(wire: Wire) -> None:
    with Events(wire) as events:
        wire.post("/v1/feeds/left/forget")
        wire.post("/v1/feeds/left/refresh")
        mine = (feed for name, feed in events if name == "feed" and feed["name"] == "left")
        told = [feed["state"] for feed in itertools.islice(mine, 2)]

    assert told == ["empty", "fresh"]


def test_metrics_count_look_ups_fetches_and_latency(wire: Wire) -> None:
    for _ in range(2):
        wire.look_up(PLAIN_FEED)

    answer = wire.get("/metrics", accept="*/*")

    assert (answer.status, answer.kind) == (200, TEXT)
    samples = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert float(samples['token_broker_lookups_total{feed="plain",outcome="hit"}']) >= 1
    assert float(samples['token_broker_fetches_total{feed="plain",outcome="ok"}']) >= 1
    assert float(samples['token_broker_lookup_seconds_bucket{le="+Inf"}']) >= 1


def test_the_description_names_every_route(wire: Wire) -> None:
    assert wire.get("/openapi.json").json["paths"].keys() >= ROUTES


def test_one_connection_carries_several_requests(wire: Wire) -> None:
    with wire.connect() as connection:
        statuses = []
        for _ in range(3):
            connection.sendall(request_bytes("GET", "/v1/health"))
            statuses.append(read_answer(connection).status)

    assert statuses == [200, 200, 200]


def test_a_stream_ends_with_the_daemon(house: Household) -> None:
    with house.brokerd() as broker, Events(broker.wire) as events:
        assert broker.end() == 0

        assert list(events) == []


def test_a_feeds_name_stands_for_its_address_at_brokerctl(wire: Wire, shared: Household) -> None:
    assert wire.serves()
    got = shared.brokerctl("get", "plain")
    explained = shared.brokerctl("explain", "plain")

    assert (got.exit_code, got.stdout) == (0, f"{PLAIN_PASSWORD}\n")
    assert explained.stdout.startswith(f"{PLAIN_FEED}\n  feed         plain (")
