"""A connection to a feed's host serves the next client, too, where that can do no harm."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from broker.gateway import idle_lines
from tests.fakes.http1 import Request, Response
from tests.fakes.journal import Journal
from tests.fakes.loopback import Line, Loopback
from tests.gateway.gateway_room import PATIENCE_S, GatewayRoom, talk
from tests.gateway.test_streaming import secured_by

if TYPE_CHECKING:
    from tests.fakes.authority import Authority
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.gateway.gateway_room import TableBroker

HOST = "packages.example"


@pytest.fixture
def feeds(broker: TableBroker) -> TableBroker:
    broker.feed("one", f"https://{HOST}/one/", "token-1")
    broker.feed("two", f"https://{HOST}/two/", "token-2")
    return broker


class Counting:
    """A host that answers with the password it was shown."""

    def __init__(self) -> None:
        self.requests: Journal[Request] = Journal()
        self.fields: tuple[tuple[str, str], ...] = ()

    def __call__(self, request: Request) -> Response:
        self.requests.add(request)
        return Response(200, (request.basic or ("", "none"))[1].encode(), self.fields)


def connections(proxy: ConnectProxy) -> int:
    return len([each for each in proxy.contacts if each.host == HOST])


@pytest.mark.usefixtures("feeds")
def test_next_client_goes_by_the_connection_of_the_one_before_and_shows_its_own_feeds_token(
    proxy: ConnectProxy,
) -> None:
    proxy.route(HOST, Counting())

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = [gateway.ask(HOST, path).body for path in ("/one/a", "/two/b", "/elsewhere", "/one/c")]

    assert got == [b"token-1", b"token-2", b"none", b"token-1"]
    assert connections(proxy) == 1


@pytest.mark.usefixtures("feeds")
@pytest.mark.parametrize(
    ("fields", "method", "says"),
    [
        (("Authorization: Negotiate abc",), "GET", ()),  # the whole connection is that client's now
        ((), "GET", (("Connection", "close"),)),
        ((), "POST", ()),  # cannot be sent again, if the connection has just ended
    ],
)
def test_connection_that_might_do_harm_serves_no_other_client(
    proxy: ConnectProxy, fields: tuple[str, ...], method: str, says: tuple[tuple[str, str], ...]
) -> None:
    host = Counting()
    host.fields = says
    proxy.route(HOST, host)

    with GatewayRoom(proxy, [HOST]) as gateway:
        for _ in range(2):
            gateway.ask(HOST, "/elsewhere", *fields, method=method)

    assert connections(proxy) == 2


@pytest.mark.usefixtures("feeds")
def test_connection_waits_for_so_long_and_no_longer(
    proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_lines, "IDLE_S", 0.0)
    proxy.route(HOST, Counting())

    with GatewayRoom(proxy, [HOST]) as gateway:
        gateway.ask(HOST, "/one/a")
        gateway.ask(HOST, "/one/b")

    assert connections(proxy) == 2


class Talkative(Loopback):
    """Answers one request of each connection, and later says what it was not asked for."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(self._speak, "talkative")
        self._authority = authority
        self.may_go_on = threading.Event()
        self.has_gone_on = threading.Event()

    def _speak(self, line: Line) -> None:
        line.secure(self._authority.server_context("localhost"))
        line.receive()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
        line.wait_for(self.may_go_on)
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        self.has_gone_on.set()
        line.wait_for_leaving()


@pytest.mark.usefixtures("feeds")
def test_answer_that_nobody_asked_for_is_given_to_nobody(proxy: ConnectProxy, authority: Authority) -> None:
    with Talkative(authority) as host:
        name = f"localhost:{host.port}"
        with GatewayRoom(proxy, [("localhost", host.port)]) as gateway:
            bodies = []
            for _ in range(2):
                secured = secured_by(gateway.authority, gateway.connect("localhost", port=host.port))
                bodies.append(talk(secured, name, "/").body)
                secured.close()
                host.may_go_on.set()
                assert host.has_gone_on.wait(PATIENCE_S)

    assert bodies == [b"first", b"first"]
