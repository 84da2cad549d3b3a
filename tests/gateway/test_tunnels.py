"""What is no feed's passes untouched, through the proxies that were set before, or not at all."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.fakes.connect_proxy import Conduct
from tests.fakes.http1 import Request, Response
from tests.fakes.journal import Journal
from tests.fakes.loopback import Line, Loopback
from tests.gateway.gateway_room import (
    GatewayRoom,
    connect_words,
    proxy_login,
    read_answer,
    read_head,
    talk,
)

if TYPE_CHECKING:
    from tests.fakes.authority import Authority
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.gateway.gateway_room import TableBroker

pytestmark = pytest.mark.usefixtures("broker")

HOST = "packages.example"
OTHER = "other.example"


def test_host_that_is_no_feed_shows_its_own_certificate(
    proxy: ConnectProxy, broker: TableBroker, authority: Authority
) -> None:
    proxy.route(OTHER, lambda _: Response(200, b"its own"))
    context = authority.client_context()

    with (
        GatewayRoom(proxy, [HOST]) as gateway,
        gateway.connect(OTHER) as connection,
        context.wrap_socket(connection, server_hostname=OTHER) as secured,
    ):
        issuer = (secured.getpeercert() or {})["issuer"]
        got = talk(secured, OTHER, "/")

    assert "gateway" not in str(issuer)
    assert got.body == b"its own"
    assert broker.asked == []


@pytest.mark.parametrize("conduct", [Conduct.REFUSE, Conduct.DEMAND_LOGIN, Conduct.RESET])
@pytest.mark.parametrize("host", [OTHER, HOST])
def test_proxy_that_refuses_is_a_502_with_its_reason(
    proxy: ConnectProxy, conduct: Conduct, host: str
) -> None:
    proxy.route(host, lambda _: Response(200))
    proxy.conduct(host, conduct)

    with GatewayRoom(proxy, [HOST]) as gateway:
        if host == HOST:
            got = gateway.ask(HOST, "/")
        else:
            with gateway.dial() as connection:
                connection.sendall(connect_words(f"{host}:443"))
                got = read_answer(connection, "CONNECT")

    assert got.status == 502
    assert "127.0.0.1" in got.reason or host in got.reason


@pytest.mark.parametrize(
    "conduct", [Conduct.STRANGE_CERTIFICATE, Conduct.ANOTHERS_CERTIFICATE, Conduct.EXPIRED_CERTIFICATE]
)
def test_feed_that_cannot_prove_its_name_gets_nothing(
    proxy: ConnectProxy, broker: TableBroker, conduct: Conduct
) -> None:
    seen = Journal[Request]()

    def note(request: Request) -> Response:
        seen.add(request)
        return Response(200)

    broker.feed("corp", f"https://{HOST}/", "the-token")
    proxy.route(HOST, note)
    proxy.conduct(HOST, conduct)

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/simple/")

    assert got.status == 502
    assert "is not who it says" in got.reason
    assert len(seen) == 0


@pytest.mark.parametrize("proxied", [False, True])
def test_who_refuses_a_connection_and_why_is_told_to_the_client_and_at_the_end(
    proxy: ConnectProxy, broker: TableBroker, *, proxied: bool
) -> None:
    with socket.socket() as taken:  # and not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        name = HOST if proxied else "localhost"
        broker.feed("corp", f"https://{name}:{port}/", "the-token")
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"} if proxied else {}

        with GatewayRoom(proxy, [(name, port)], environ=environ) as gateway:
            got = gateway.ask(name, "/simple/", port=port)
            failures = gateway.parts.report.failures

    who = f"the proxy 127.0.0.1:{port}" if proxied else f"localhost:{port}"
    assert (got.status, failures) == (502, [f"{who}: connection refused"])
    assert failures[0] in got.reason


class LoginProxy(Loopback):
    """A proxy that notes what it was asked with, and agrees to nothing."""

    def __init__(self) -> None:
        super().__init__(self._speak, "login proxy")
        self.heard = Journal[bytes]()

    def _speak(self, line: Line) -> None:
        self.heard.add(line.receive())
        line.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def test_password_of_the_proxy_before_goes_to_that_proxy_alone(proxy: ConnectProxy) -> None:
    with LoginProxy() as corporate:
        environ = {"HTTPS_PROXY": f"http://jane:p%40ss@127.0.0.1:{corporate.port}"}
        with GatewayRoom(proxy, [HOST], environ=environ) as gateway, gateway.dial() as connection:
            connection.sendall(connect_words(f"{OTHER}:443"))
            got = read_answer(connection, "CONNECT")

    [heard] = corporate.heard
    assert got.status == 502
    assert heard.startswith(f"CONNECT {OTHER}:443 HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic amFuZTpwQHNz\r\n" in heard
    assert proxy_login().encode() not in heard


def test_plain_http_passes_through_the_proxy_before(proxy: ConnectProxy) -> None:
    seen = Journal[Request]()

    def note(request: Request) -> Response:
        seen.add(request)
        return Response(200, b"plain")

    proxy.route(OTHER, note)
    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        login = f"Proxy-Authorization: {proxy_login()}"
        got = [talk(connection, OTHER, f"http://{OTHER}/{n}?q=1", login) for n in range(2)]

    assert [each.body for each in got] == [b"plain"] * 2
    assert [request.target for request in seen] == ["/0?q=1", "/1?q=1"]
    assert all(request.header("proxy-authorization") is None for request in seen)


@pytest.mark.parametrize(
    "words",
    [
        f"GET http://{OTHER}/ HTTP/1.1\r\nHost: {HOST}\r\n",
        f"GET https://{OTHER}/ HTTP/1.1\r\nHost: {OTHER}\r\n",
        f"GET http://x@{OTHER}/ HTTP/1.1\r\nHost: {OTHER}\r\n",
        f"GET ftp://{OTHER}/ HTTP/1.1\r\nHost: {OTHER}\r\n",
        f"GET / HTTP/1.1\r\nHost: {OTHER}\r\n",
        f"GET http:/// HTTP/1.1\r\nHost: {OTHER}\r\n",
        f"CONNECT {OTHER} HTTP/1.1\r\nHost: {OTHER}\r\n",
        f"CONNECT {OTHER}:443 HTTP/1.1\r\nHost: {OTHER}:443\r\nContent-Length: 3\r\n",
    ],
)
def test_request_that_names_two_places_or_none_is_refused(proxy: ConnectProxy, words: str) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        connection.sendall(f"{words}Proxy-Authorization: {proxy_login()}\r\n\r\n".encode())
        got = read_answer(connection, "GET")

    assert got.status == 400
    assert proxy.hosts == []


def test_strict_gateway_refuses_other_hosts_and_says_which(proxy: ConnectProxy) -> None:
    proxy.route("*", lambda _: Response(200))
    room = GatewayRoom(proxy, [HOST], strict=True, allowed=("allowed.example",))
    with room as gateway:
        for target, status in (("allowed.example:443", 200), (f"{OTHER}:443", 403), (f"{OTHER}:443", 403)):
            with gateway.dial() as connection:
                connection.sendall(connect_words(target))
                assert read_head(connection).startswith(b"HTTP/1.1 %d " % status)
        with gateway.dial() as connection:
            login = f"Proxy-Authorization: {proxy_login()}"
            assert talk(connection, "third.example", "http://third.example/", login).status == 403
        assert gateway.ask(HOST, "/").status == 200
        refusals = gateway.parts.report.refusals

    assert refusals == ["refused other.example:443, 2 times", "refused third.example:80, once"]
    assert proxy.hosts == ["allowed.example", HOST]


def test_tunnel_carries_any_protocol_and_half_closes(proxy: ConnectProxy) -> None:
    def speak(line: Line) -> None:
        line.send(b"a banner first\n")
        heard = b""
        while piece := line.receive():
            heard += piece
        line.send(heard[::-1])

    with (
        Loopback(speak, "banner") as server,
        GatewayRoom(proxy, [HOST]) as gateway,
        gateway.dial() as connection,
    ):
        connection.sendall(connect_words(f"127.0.0.1:{server.port}"))
        assert read_head(connection).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(15) == b"a banner first\n"
        connection.sendall(b"hello")
        connection.shutdown(1)

        assert connection.recv(100) == b"olleh"
        assert connection.recv(1) == b""


def test_client_without_the_runs_authority_talks_to_no_feed(
    proxy: ConnectProxy, authority: Authority
) -> None:
    with (
        GatewayRoom(proxy, [HOST]) as gateway,
        gateway.connect(HOST) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        authority.client_context().wrap_socket(connection, server_hostname=HOST)

    assert proxy.hosts == []
