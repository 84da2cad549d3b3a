"""What a hostile feed, or an address that it has made, can have a client ask: it gets no token but its own.

The proof is the log of the hostile host, which keeps every byte behind TLS, and of the feed beside it.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import h11
import pytest

from tests.fakes.evil import EvilHost
from tests.fakes.http1 import Request, Response
from tests.fakes.journal import Journal
from tests.fakes.loopback import Line, Loopback
from tests.gateway.gateway_room import GatewayRoom, connect_words, read_answer, read_head, talk

if TYPE_CHECKING:
    from tests.fakes.authority import Authority
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.gateway.gateway_room import TableBroker

pytestmark = pytest.mark.usefixtures("broker")

HOST = "packages.example"
EVIL = "evil.example"
TOKEN = "the-token-of-corp-0123456789"
EVILS_OWN = "the-token-of-evil-0123456789"
LABS = "the-token-of-labs-0123456789"


@pytest.fixture
def feeds(proxy: ConnectProxy, broker: TableBroker) -> tuple[EvilHost, Journal[Request]]:
    """The hostile host, which is a feed of its own, and what came to the other one."""
    evil, seen = EvilHost(), Journal[Request]()

    def note(request: Request) -> Response:
        seen.add(request)
        return Response(200, b"fine")

    proxy.route(HOST, note)
    evil.attach(proxy, EVIL, "*.evil.example", f"{HOST}.evil.example")
    broker.feed("corp", f"https://{HOST}/corp/simple/", TOKEN)
    broker.feed("labs", f"https://{HOST}/labs/", LABS)
    broker.feed("evil", f"https://{EVIL}/simple/", EVILS_OWN)
    return evil, seen


def lines(*each: str) -> bytes:
    return "\r\n".join([*each, "", ""]).encode("latin-1")


SMUGGLED = f"GET /corp/simple/stolen/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n"

ON_THE_EVIL_HOST = {
    "host is the feed's": lines("GET /corp/simple/ HTTP/1.1", f"Host: {HOST}"),
    "host is the feed's, with a port": lines("GET /corp/simple/ HTTP/1.1", f"Host: {HOST}:443"),
    "two hosts, evil first": lines("GET /corp/simple/ HTTP/1.1", f"Host: {EVIL}", f"Host: {HOST}"),
    "two hosts, evil last": lines("GET /corp/simple/ HTTP/1.1", f"Host: {HOST}", f"Host: {EVIL}"),
    "no host": lines("GET /corp/simple/ HTTP/1.1", "Accept: */*"),
    "no host in HTTP/1.0": lines("GET /corp/simple/ HTTP/1.0", "Accept: */*"),
    "an empty host": lines("GET /corp/simple/ HTTP/1.1", "Host:"),
    "host with userinfo": lines("GET /corp/simple/ HTTP/1.1", f"Host: {HOST}@{EVIL}"),
    "absolute form of the feed": lines(f"GET https://{HOST}/corp/simple/ HTTP/1.1", f"Host: {EVIL}"),
    "absolute form of the feed, and its host": lines(
        f"GET https://{HOST}/corp/simple/ HTTP/1.1", f"Host: {HOST}"
    ),
    "absolute form of itself": lines(f"GET https://{EVIL}/simple/ HTTP/1.1", f"Host: {EVIL}"),
    "userinfo in the absolute form": lines(
        f"GET https://{HOST}@{EVIL}/corp/simple/ HTTP/1.1", f"Host: {EVIL}"
    ),
    "authority form": lines(f"GET {HOST}:443 HTTP/1.1", f"Host: {EVIL}"),
    "connect inside": lines(f"CONNECT {HOST}:443 HTTP/1.1", f"Host: {HOST}:443"),
    "asterisk": lines("OPTIONS * HTTP/1.1", f"Host: {EVIL}"),
    "a fragment, which hides what follows": lines("GET /simple/#/../../corp/ HTTP/1.1", f"Host: {EVIL}"),
    "no path": lines("GET  HTTP/1.1", f"Host: {EVIL}"),
    "network path": lines(f"GET //{HOST}/corp/simple/ HTTP/1.1", f"Host: {EVIL}"),
    "forwarded host": lines("GET /corp/simple/ HTTP/1.1", f"Host: {EVIL}", f"X-Forwarded-Host: {HOST}"),
    "folded host": lines("GET /corp/simple/ HTTP/1.1", f"Host: {EVIL}", f" {HOST}"),
    "folded field": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "X: a", f"\tHost: {HOST}"),
    "bare CR in a field": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", f"X: a\rHost: {HOST}"),
    "bare LF in a field": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", f"X: a\nHost: {HOST}"),
    "bare LFs alone": f"GET /simple/ HTTP/1.1\nHost: {EVIL}\n\n{SMUGGLED}".encode(),
    "bare CR in the request line": lines("GET /corp/\r HTTP/1.1", f"Host: {EVIL}"),
    "blank before the colon": lines("GET /simple/ HTTP/1.1", f"Host : {HOST}", f"Host: {EVIL}"),
    "a zero byte": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}\0{HOST}"),
    "an empty line first": b"\r\n" + lines("GET /corp/simple/ HTTP/1.1", f"Host: {HOST}"),
    "an older HTTP": b"GET /corp/simple/\r\n\r\n",
    "a newer HTTP": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two lengths": lines(
        "GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Content-Length: 0", f"Content-Length: {len(SMUGGLED)}"
    )
    + SMUGGLED.encode(),
    "two equal lengths": lines(
        "GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Content-Length: 3", "Content-Length: 3"
    )
    + b"abc",
    "a list of lengths": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Content-Length: 3, 3") + b"abc",
    "a length with a sign": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Content-Length: +3") + b"abc",
    "a length in hexadecimal": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Content-Length: 0x3")
    + b"abc",
    "length and chunked": lines(
        "GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Content-Length: 5", "Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n"
    + SMUGGLED.encode(),
    "chunked twice": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", *["Transfer-Encoding: chunked"] * 2)
    + b"0\r\n\r\n",
    "chunked, then identity": lines(
        "GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Transfer-Encoding: chunked, identity"
    ),
    "chunked with a vertical tab": lines(
        "GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Transfer-Encoding: \x0bchunked"
    ),
    "another coding": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Transfer-Encoding: xchunked"),
    "chunked in HTTP/1.0": lines("GET /simple/ HTTP/1.0", f"Host: {EVIL}", "Transfer-Encoding: chunked")
    + b"0\r\n\r\n",
    "connection names host": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Connection: close, host"),
    "connection names authorization": lines(
        "GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Connection: authorization"
    ),
    "an upgrade": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Connection: Upgrade", "Upgrade: h2c"),
    "trace": lines("TRACE /simple/ HTTP/1.1", f"Host: {EVIL}"),
    "two authorizations": lines(
        "GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Authorization: a", "Authorization: b"
    ),
    "another expectation": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", "Expect: a-token"),
    "a head without an end": lines("GET /simple/ HTTP/1.1", f"Host: {EVIL}", *["X: " + "y" * 8000] * 10),
}
"""What a client could be led to write on a connection to the hostile host."""

IS_A_REQUEST = {"network path", "forwarded host"}
"""Read by everybody alike, and answered; the evil host gets no token for them."""


def test_the_table_has_the_forty_cases() -> None:
    assert len(ON_THE_EVIL_HOST) >= 40


@pytest.mark.parametrize("case", ON_THE_EVIL_HOST)
def test_evil_host_gets_no_token_of_the_feed_beside_it(
    proxy: ConnectProxy, feeds: tuple[EvilHost, Journal[Request]], case: str
) -> None:
    evil, seen = feeds

    with GatewayRoom(proxy, [HOST, EVIL]) as gateway, gateway.secure(EVIL) as connection:
        connection.sendall(ON_THE_EVIL_HOST[case])
        got = read_answer(connection) if case != "bare LFs alone" else None

    assert (got is None) or (got.status == 200) == (case in IS_A_REQUEST)
    assert not evil.got(TOKEN, LABS)
    assert len(seen) == 0
    assert len(evil.requests) == (case in IS_A_REQUEST)
    assert evil.authorizations == []


@pytest.mark.parametrize(
    "target",
    [
        f"{HOST}.evil.example:443",
        f"{EVIL}:443",
        f"x@{HOST}:443",
        f"{HOST}@{EVIL}:443",
        f"{HOST}:443@{EVIL}:443",
        f"https://{HOST}:443",
        f"{HOST}",
        f"{HOST}:0",
        f"{HOST}:99999",
        f"{HOST}:443:443",
        f"[{HOST}]:443",
        f"{HOST}\\.evil.example:443",
        f"{HOST}%2eevil.example:443",
    ],
)
def test_connect_to_another_host_never_leads_to_a_token(
    proxy: ConnectProxy, feeds: tuple[EvilHost, Journal[Request]], authority: Authority, target: str
) -> None:
    evil, seen = feeds

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        connection.sendall(connect_words(target))
        said = read_head(connection)
        if said.startswith(b"HTTP/1.1 200 "):
            context = ssl.create_default_context(cadata=gateway.authority)
            context.load_verify_locations(cafile=authority.bundle)
            with context.wrap_socket(connection, server_hostname=target.rpartition(":")[0]) as secured:
                talk(secured, HOST, "/corp/simple/stolen/")

    assert not evil.got(TOKEN, LABS)
    assert len(seen) == 0


@pytest.mark.parametrize("host_field", [EVIL, f"{HOST}:444", f"{HOST}:80", f"x.{HOST}", f"{HOST}."])
def test_connect_and_its_host_must_agree(proxy: ConnectProxy, host_field: str) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        words = connect_words(f"{HOST}:443").replace(
            f"Host: {HOST}:443".encode(), f"Host: {host_field}".encode()
        )
        connection.sendall(words)

        assert read_answer(connection, "CONNECT").status == 400


@pytest.mark.parametrize("sni", [EVIL, f"www.{HOST}", "localhost"])
def test_another_name_in_tls_than_in_connect_is_refused(proxy: ConnectProxy, sni: str) -> None:
    with GatewayRoom(proxy, [HOST, EVIL]) as gateway, pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        gateway.secure(HOST, sni=sni)


def test_no_name_in_tls_is_refused(proxy: ConnectProxy) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with GatewayRoom(proxy, [HOST]) as gateway:
        context.load_verify_locations(cadata=gateway.authority)
        with gateway.connect(HOST) as connection, pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            context.wrap_socket(connection)


SMUGGLING_BODIES = {
    "second request in a body of known length": (f"Content-Length: {len(SMUGGLED)}", SMUGGLED.encode()),
    "second request in a chunk": (
        "Transfer-Encoding: chunked",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED.encode()),
    ),
    "second request in a trailer": (
        "Transfer-Encoding: chunked",
        b"0\r\nX: y\r\nHost: packages.example\r\n\r\n",
    ),
}


@pytest.mark.parametrize("case", SMUGGLING_BODIES)
def test_body_is_a_body_to_everybody(
    proxy: ConnectProxy, feeds: tuple[EvilHost, Journal[Request]], case: str
) -> None:
    framing, body = SMUGGLING_BODIES[case]
    _, seen = feeds

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.secure(HOST) as connection:
        connection.sendall(lines("POST /public/ HTTP/1.1", f"Host: {HOST}", framing) + body)
        first = read_answer(connection)
        second = talk(connection, HOST, "/public/2")

    assert (first.status, second.status) == (200, 200)
    assert [(request.method, request.path, request.basic) for request in seen] == [
        ("POST", "/public/", None),
        ("GET", "/public/2", None),
    ]


class RawHost(Loopback):
    """A host behind TLS that answers each request with these bytes, whatever they are."""

    def __init__(self, authority: Authority, *answers: bytes) -> None:
        super().__init__(self._speak, "raw host")
        self._authority = authority
        self._answers = list(answers)
        self.heard = b""

    def _speak(self, line: Line) -> None:
        line.secure(self._authority.server_context("localhost"))
        while self._answers and (heard := line.receive()):
            self.heard += heard
            line.send(self._answers.pop(0))


ANSWERS = {
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    "a length of one connection": b"HTTP/1.1 200 OK\r\nConnection: content-length\r\n"
    b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a strange coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a changed protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    "a proxy's login": b'HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a head that never ends": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000,
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answer_that_is_none_is_a_502(proxy: ConnectProxy, authority: Authority, case: str) -> None:
    with RawHost(authority, ANSWERS[case] or b"\r\n\r\n") as host:
        room = GatewayRoom(proxy, [("localhost", host.port)])
        with room as gateway, gateway.connect("localhost", port=host.port) as connection:
            secured = trusting(gateway).wrap_socket(connection, server_hostname="localhost")
            got = talk(secured, f"localhost:{host.port}", "/")
            secured.close()

    assert got.status == 502
    assert "token-broker: localhost:" in got.reason


def test_head_that_got_no_answer_is_refused_without_a_body(proxy: ConnectProxy, authority: Authority) -> None:
    with RawHost(authority, ANSWERS["no HTTP"]) as host:
        room = GatewayRoom(proxy, [("localhost", host.port)])
        with room as gateway, gateway.connect("localhost", port=host.port) as connection:
            secured = trusting(gateway).wrap_socket(connection, server_hostname="localhost")
            secured.sendall(lines("HEAD / HTTP/1.1", f"Host: localhost:{host.port}"))
            words = b"".join(iter(lambda: secured.recv(65536), b""))
            secured.close()

    assert words.startswith(b"HTTP/1.1 502 ")
    assert words.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end, which TLS does not tell",
    ],
)
def test_answer_that_breaks_off_breaks_off_for_the_client(
    proxy: ConnectProxy, authority: Authority, answer: bytes
) -> None:
    with RawHost(authority, answer) as host:
        room = GatewayRoom(proxy, [("localhost", host.port)])
        with room as gateway, gateway.connect("localhost", port=host.port) as connection:
            secured = trusting(gateway).wrap_socket(connection, server_hostname="localhost")
            with pytest.raises((h11.RemoteProtocolError, OSError)):
                talk(secured, f"localhost:{host.port}", "/")
            secured.close()


def trusting(gateway: GatewayRoom) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=gateway.authority)
    context.options |= ssl.OP_NO_TICKET
    return context


def test_fields_of_one_connection_are_not_handed_on(
    proxy: ConnectProxy, feeds: tuple[EvilHost, Journal[Request]]
) -> None:
    _, seen = feeds
    own = (
        "Proxy-Authorization: Basic Z2F0ZXdheTpzZWNyZXQ=",
        "Proxy-Connection: keep-alive",
        "Connection: keep-alive, TE",
        "Keep-Alive: 300",
        "TE: trailers",
        "X-Kept: yes",
    )

    with GatewayRoom(proxy, [HOST]) as gateway:
        gateway.ask(HOST, "/corp/simple/", *own)

    names = {name for name, _ in seen.entries[0].headers}
    assert names == {"host", "x-kept", "authorization"}


def test_what_is_no_http_is_refused(proxy: ConnectProxy) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        connection.sendall(b"\x16\x03\x01 TLS without CONNECT\r\n\r\n")

        assert read_answer(connection).status == 400
