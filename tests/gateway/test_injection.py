"""Which requests get a credential, whose, and what becomes of the others."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from broker.gateway.broker_link import BrokerLink
from broker.gateway.injection import Injected, Injector
from broker.gateway.run_report import RunReport
from tests.ctl.stand_in import problem
from tests.fake_clock import FakeClock
from tests.fakes.http1 import Request, Response
from tests.fakes.journal import Journal
from tests.gateway.gateway_room import GatewayRoom, talk

if TYPE_CHECKING:
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.gateway.gateway_room import TableBroker

HOST = "packages.example"
FEED = f"https://{HOST}/corp/simple/"
TOKEN = "the-token-of-corp"


class Host:
    """A fake host that notes what came and says yes, or what `says` returns."""

    def __init__(self, says: Response | None = None) -> None:
        self.requests: Journal[Request] = Journal()
        self.answers = [says or Response(200, b"here you are")]

    def __call__(self, request: Request) -> Response:
        self.requests.add(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def credentials(self) -> list[tuple[str, str] | None]:
        return [request.basic for request in self.requests]


@pytest.fixture
def host(proxy: ConnectProxy, broker: TableBroker) -> Host:
    made = Host()
    proxy.route(HOST, made)
    broker.feed("corp", FEED, TOKEN)
    return made


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_request_below_a_feed_gets_its_credential(proxy: ConnectProxy, host: Host, method: str) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/corp/simple/demo/", method=method)

    assert got.status == 200
    assert host.credentials == [("ci", TOKEN)]


@pytest.mark.parametrize(
    "path",
    [
        "/corp/simpleton/demo/",
        "/corp/",
        "/",
        "/other/simple/",
        "/corp/simple/../../other/",
        "/corp/simple/%2e%2e/x",
        "/corp/simple/..;/other/",
        "/corp/simple%2Fdemo",
        "/corp/simple\\demo",
        "//corp/simple/demo",
    ],
)
def test_request_beside_a_feed_gets_none(proxy: ConnectProxy, host: Host, path: str) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway:
        gateway.ask(HOST, path)

    assert host.credentials == [None]


def test_two_feeds_of_one_host_get_each_its_own_on_one_connection(
    proxy: ConnectProxy, host: Host, broker: TableBroker
) -> None:
    broker.feed("labs", f"https://{HOST}/labs/", "another-token")

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.secure(HOST) as connection:
        for path in ("/corp/simple/a/", "/labs/a/", "/corp/simple/b/", "/c/"):
            assert talk(connection, HOST, path).status == 200

    assert host.credentials == [("ci", TOKEN), ("ci", "another-token"), ("ci", TOKEN), None]


def test_query_is_not_told_to_the_broker(proxy: ConnectProxy, host: Host, broker: TableBroker) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway:
        gateway.ask(HOST, "/corp/simple/x.whl?sig=very-secret")

    assert host.requests.entries[0].target == "/corp/simple/x.whl?sig=very-secret"
    assert broker.queries[0]["url"] == f"{FEED}x.whl"


@pytest.mark.parametrize(
    "own",
    [
        "Bearer the-clients-own",
        "Basic " + base64.b64encode(b"me:mine").decode(),
        "Negotiate YII=",
        "nonsense",
    ],
)
def test_credential_that_the_client_brings_is_left_alone(proxy: ConnectProxy, host: Host, own: str) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway:
        gateway.ask(HOST, "/corp/simple/demo/", f"Authorization: {own}")

    assert host.requests.entries[0].header("authorization") == own


def test_user_name_without_a_password_is_no_credential(
    proxy: ConnectProxy, host: Host, broker: TableBroker
) -> None:
    own = base64.b64encode(b"jane:").decode()

    with GatewayRoom(proxy, [HOST]) as gateway:
        gateway.ask(HOST, "/corp/simple/demo/", f"Authorization: Basic {own}")

    assert host.credentials == [("ci", TOKEN)]
    assert broker.queries[0]["username"] == "jane"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_feed_for_reading_refuses_other_methods(proxy: ConnectProxy, host: Host, method: str) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/corp/simple/", method=method)
        failures = gateway.parts.report.failures

    assert got.status == 403
    assert f"corp: its credential is for reading, and this was a {method}" in got.reason
    assert failures == [f"corp: its credential is for reading, and this was a {method}"]
    assert len(host.requests) == 0


def test_feed_for_publishing_takes_a_post(proxy: ConnectProxy, host: Host, broker: TableBroker) -> None:
    broker.feed("up", f"https://{HOST}/upload/", "publishing-token", scope="publish")

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/upload/", method="POST", body=b"x" * 100_000)

    assert got.status == 200
    assert host.credentials == [("ci", "publishing-token")]
    assert host.requests.entries[0].body == b"x" * 100_000


def test_401_is_asked_again_once_with_a_new_token(
    proxy: ConnectProxy, host: Host, broker: TableBroker
) -> None:
    broker.fetched["corp"] = "a-newer-token"
    host.answers = [Response(401, b"old"), Response(200, b"fine")]

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/corp/simple/demo/")

    assert (got.status, got.body) == (200, b"fine")
    assert host.credentials == [("ci", TOKEN), ("ci", "a-newer-token")]


def test_second_401_is_the_clients(proxy: ConnectProxy, host: Host, broker: TableBroker) -> None:
    broker.fetched["corp"] = "a-newer-token"
    host.answers = [Response(401, b"no", (("WWW-Authenticate", "Basic"),))]

    with GatewayRoom(proxy, [HOST]) as gateway:
        answers = [gateway.ask(HOST, "/corp/simple/demo/") for _ in range(3)]

    assert [got.status for got in answers] == [401, 401, 401]
    assert answers[0].fields["www-authenticate"] == "Basic"
    assert len(host.requests) == 4
    assert broker.asked.count("POST /v1/feeds/corp/refresh") == 1


@pytest.mark.parametrize(
    ("retry_after", "waits_s"),
    [(None, 10), ("3", 10), ("120", 120), ("31536000", 3600), ("soon", 10)],
)
async def test_no_token_is_ordered_before_the_identity_service_wants_to_be_asked(
    broker: TableBroker, retry_after: str | None, waits_s: float
) -> None:
    clock, order = FakeClock(), "POST /v1/feeds/corp/refresh"
    broker.feed("corp", FEED, TOKEN)
    broker.answers[order] = problem(503, "unavailable", "login.example answers 429", hint="brokerctl doctor")
    broker.headers[order] = {} if retry_after is None else {"Retry-After": retry_after}
    link, report = BrokerLink(str(broker.path)), RunReport()
    injector = Injector(link, report, clock)
    refused = await injector.decide("GET", FEED, None)
    assert isinstance(refused, Injected)
    orders = []
    for seconds in (0, waits_s - 1, 1):
        await clock.advance(seconds)
        assert await injector.another(FEED, None, refused) is None
        orders.append(broker.asked.count(order))
    link.close()

    assert orders == [1, 1, 2]
    assert report.failures == ["corp: login.example answers 429; run: brokerctl doctor"]


def test_401_to_the_clients_own_credential_costs_no_token(
    proxy: ConnectProxy, host: Host, broker: TableBroker
) -> None:
    host.answers = [Response(401)]

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/corp/simple/demo/", "Authorization: Bearer own")

    assert got.status == 401
    assert broker.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_handed_to_the_client(proxy: ConnectProxy, host: Host, status: int) -> None:
    there = "https://evil.example/corp/simple/demo/"
    host.answers = [Response(status, b"", (("Location", there),))]

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/corp/simple/demo/")

    assert (got.status, got.fields["location"]) == (status, there)
    assert proxy.hosts == [HOST]


def test_credential_that_cannot_be_had_stops_the_request_and_is_told(
    proxy: ConnectProxy, host: Host, broker: TableBroker
) -> None:
    broker.failures["corp"] = (401, b"corp: nobody is signed in to az; run: az login\n")

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/corp/simple/demo/")
        failures = gateway.parts.report.failures

    assert got.status == 403
    assert "corp: nobody is signed in to az; run: az login" in got.reason
    assert failures == ["corp: nobody is signed in to az; run: az login"]
    assert len(host.requests) == 0


def test_broker_that_is_gone_stops_the_request(proxy: ConnectProxy, host: Host, broker: TableBroker) -> None:
    broker.path.unlink()

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/corp/simple/demo/")

    assert got.status == 403
    assert len(host.requests) == 0
