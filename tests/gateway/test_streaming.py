"""Bodies pass piece by piece, connections are kept, and who stalls costs itself its connection."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.gateway.deadlines import Deadlines
from tests.fakes.http1 import Request, Response, Silence
from tests.fakes.loopback import Line, Loopback
from tests.gateway.gateway_room import PATIENCE_S, GatewayRoom, read_answer, read_head, talk

if TYPE_CHECKING:
    from tests.fakes.authority import Authority
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.gateway.gateway_room import TableBroker

pytestmark = pytest.mark.usefixtures("feed")

HOST = "packages.example"
FEED = f"https://{HOST}/simple/"
TOKEN = "the-token"


@pytest.fixture
def feed(broker: TableBroker) -> TableBroker:
    broker.feed("corp", FEED, TOKEN)
    return broker


def echo(request: Request) -> Response:
    fields = ("range", "content-type", "if-none-match")
    told = tuple((f"X-{name}", value) for name in fields if (value := request.header(name)) is not None)
    return Response(200, hashlib.sha256(request.body).hexdigest().encode(), told)


def secured_by(authority: str, connection: socket.socket) -> ssl.SSLSocket:
    """TLS over the connection to localhost, by the gateway's authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority)
    return context.wrap_socket(connection, server_hostname="localhost")


def test_large_answer_passes_whole(proxy: ConnectProxy) -> None:
    content = os.urandom(1 << 20) * 24
    proxy.route(HOST, lambda _: Response(200, content))

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/simple/large.whl")

    assert got.body == content
    assert got.fields["content-length"] == str(len(content))


@pytest.mark.parametrize("size", [0, 1, 16384, 300_000, 5_000_000])
def test_upload_passes_whole(proxy: ConnectProxy, size: int) -> None:
    proxy.route(HOST, echo)
    body = os.urandom(size)

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/elsewhere", "Content-Type: x/y", method="POST", body=body)

    assert got.body.decode() == hashlib.sha256(body).hexdigest()
    assert got.fields["x-content-type"] == "x/y"


def test_chunked_upload_passes_whole_and_leaves_the_next_request(proxy: ConnectProxy) -> None:
    proxy.route(HOST, echo)
    pieces = [os.urandom(size) for size in (1, 70_000, 300_000)]
    body = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
    head = f"PUT /x HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.secure(HOST) as connection:
        connection.sendall(head + body + f"GET /y HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        first = read_answer_exactly(connection)
        second = read_answer_exactly(connection)

    assert first == hashlib.sha256(b"".join(pieces)).hexdigest().encode()
    assert second == hashlib.sha256(b"").hexdigest().encode()


def read_answer_exactly(connection: ssl.SSLSocket) -> bytes:
    """An answer of known length, and not a byte more."""
    head = read_head(connection).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return body


def test_client_that_waits_to_be_told_is_told_to_go_on(proxy: ConnectProxy) -> None:
    proxy.route(HOST, echo)
    head = f"PUT /x HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.secure(HOST) as connection:
        connection.sendall(head.encode())
        assert read_head(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        got = read_answer(connection)

    assert got.body.decode() == hashlib.sha256(b"abc").hexdigest()


def test_connections_are_kept_on_both_sides(proxy: ConnectProxy) -> None:
    proxy.route(HOST, echo)

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.secure(HOST) as connection:
        for number in range(20):
            assert talk(connection, HOST, f"/simple/{number}/").status == 200

    assert len(proxy.contacts) == 1


@pytest.mark.parametrize("words", ["HTTP/1.0\r\n", "HTTP/1.1\r\nConnection: close\r\n"])
def test_client_that_wants_one_answer_gets_one(proxy: ConnectProxy, words: str) -> None:
    proxy.route(HOST, echo)

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.secure(HOST) as connection:
        connection.sendall(f"GET /simple/ {words}Host: {HOST}\r\n\r\n".encode())
        got = read_answer(connection)

        assert got.status == 200
        assert got.fields["connection"] == "close"
        assert connection.recv(1) == b""


def test_range_and_conditional_requests_are_the_hosts_to_answer(proxy: ConnectProxy) -> None:
    proxy.route(
        HOST,
        lambda request: Response(
            206, b"ab", (("Content-Range", "bytes 0-1/9"), ("X", str(request.header("range"))))
        ),
    )

    with GatewayRoom(proxy, [HOST]) as gateway:
        got = gateway.ask(HOST, "/simple/x.whl", "Range: bytes=0-1")

    assert (got.status, got.body, got.fields["content-range"], got.fields["x"]) == (
        206,
        b"ab",
        "bytes 0-1/9",
        "bytes=0-1",
    )


def test_head_has_a_length_and_no_body(proxy: ConnectProxy) -> None:
    proxy.route(HOST, lambda _: Response(200, b"0123456789"))

    with GatewayRoom(proxy, [HOST]) as gateway, gateway.secure(HOST) as connection:
        got = talk(connection, HOST, "/simple/x.whl", method="HEAD")
        again = talk(connection, HOST, "/simple/x.whl")

    assert (got.fields["content-length"], got.body) == ("10", b"")
    assert again.body == b"0123456789"


def test_a_hundred_connections_at_once(proxy: ConnectProxy) -> None:
    proxy.route(HOST, lambda request: Response(200, request.path.encode() * 1000))

    with GatewayRoom(proxy, [HOST]) as gateway, ThreadPoolExecutor(100) as clients:
        paths = [f"/simple/{number}/" for number in range(100)]
        answers = list(clients.map(lambda path: gateway.ask(HOST, path), paths))

    assert [got.body for got in answers] == [path.encode() * 1000 for path in paths]


class Flood(Loopback):
    """A host that sends as long as it can; `sent` says how much."""

    def __init__(self, authority: Authority, patience_s: float = 0.7) -> None:
        super().__init__(self._speak, "flood")
        self._authority = authority
        self._patience_s = patience_s
        self.sent = 0
        self.stopped = threading.Event()

    def _speak(self, line: Line) -> None:
        line.secure(self._authority.server_context("localhost"))
        line.receive()
        line._socket.settimeout(self._patience_s)
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
        try:
            for _ in range(2000):
                line.send(bytes(1_000_000))
                self.sent += 1_000_000
        except OSError:
            self.stopped.set()


def test_client_that_reads_slowly_slows_its_feed(proxy: ConnectProxy, authority: Authority) -> None:
    with Flood(authority) as host:
        room = GatewayRoom(proxy, [("localhost", host.port)])
        with room as gateway, gateway.connect("localhost", port=host.port) as connection:
            secured = secured_by(gateway.authority, connection)
            secured.sendall(f"GET /x HTTP/1.1\r\nHost: localhost:{host.port}\r\n\r\n".encode())

            assert host.stopped.wait(60)
            secured.close()

    assert host.sent < 40_000_000  # what the sockets of two connections hold


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc")
def test_two_gigabytes_pass_in_bounded_memory(proxy: ConnectProxy, authority: Authority) -> None:
    with Flood(authority, patience_s=60) as host:
        room = GatewayRoom(proxy, [("localhost", host.port)])
        with room as gateway, gateway.connect("localhost", port=host.port) as connection:
            secured = secured_by(gateway.authority, connection)
            secured.sendall(f"GET /x HTTP/1.1\r\nHost: localhost:{host.port}\r\n\r\n".encode())
            read_head(secured)
            before, left, buffer = peak_kib(), 2_000_000_000, bytearray(1 << 20)
            while left:
                left -= secured.recv_into(buffer)
            secured.close()

    assert peak_kib() - before < 50_000


def peak_kib() -> int:
    """The most that this process has had in memory so far."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def test_feed_that_says_nothing_costs_a_deadline(proxy: ConnectProxy) -> None:
    proxy.route(HOST, lambda request: Silence() if "silent" in request.path else Response(200))

    deadlines = Deadlines(stall_s=0.3)
    with GatewayRoom(proxy, [HOST], deadlines=deadlines) as gateway:
        assert gateway.ask(HOST, "/simple/silent").status == 504
        object.__setattr__(deadlines, "stall_s", PATIENCE_S)  # for an answer that is to come in time
        assert gateway.ask(HOST, "/simple/").status == 200


HALF_A_HEAD = f"GET /simple/ HTTP/1.1\r\nHost: {HOST}\r\nX: ".encode()


@pytest.mark.parametrize("words", [b"", b"GET /simple/ HT", HALF_A_HEAD])
def test_client_that_says_nothing_more_is_hung_up_on(proxy: ConnectProxy, words: bytes) -> None:
    deadlines = Deadlines(head_s=1.0) if words else Deadlines(idle_s=0.3)  # TLS has head_s, too
    with GatewayRoom(proxy, [HOST], deadlines=deadlines) as gateway, gateway.secure(HOST) as connection:
        connection.sendall(words)
        with contextlib.suppress(ssl.SSLEOFError):  # closed without a word
            assert connection.recv(1) == b""


def test_client_that_begins_no_tls_is_hung_up_on(proxy: ConnectProxy) -> None:
    deadlines = Deadlines(head_s=0.3)
    with GatewayRoom(proxy, [HOST], deadlines=deadlines) as gateway, gateway.connect(HOST) as connection:
        assert connection.recv(1) == b""


class Closing(Loopback):
    """A host that hangs up after each answer without having said so."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(self._speak, "closing")
        self._authority = authority
        self.requests: list[bytes] = []

    def _speak(self, line: Line) -> None:
        line.secure(self._authority.server_context("localhost"))
        heard = line.receive()
        while heard.startswith(b"POST") and not heard.endswith(b"x" * 10):
            heard += line.receive()  # what is not read would reset the connection, and the answer with it
        self.requests.append(heard)
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_connection_that_has_ended_meanwhile_is_made_anew(proxy: ConnectProxy, authority: Authority) -> None:
    with Closing(authority) as host:
        room = GatewayRoom(proxy, [("localhost", host.port)])
        with room as gateway, gateway.connect("localhost", port=host.port) as connection:
            secured = secured_by(gateway.authority, connection)
            statuses = [talk(secured, f"localhost:{host.port}", f"/{n}").status for n in range(3)]
            posted = talk(secured, f"localhost:{host.port}", "/p", method="POST", body=b"x" * 10)
            secured.close()

    assert [*statuses, posted.status] == [200] * 4
    assert [each.split(b" ")[0] for each in host.requests] == [b"GET", b"GET", b"GET", b"POST"]


class Hasty(Loopback):
    """A host that answers before it has read the body."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(self._speak, "hasty")
        self._authority = authority

    def _speak(self, line: Line) -> None:
        line.secure(self._authority.server_context("localhost"))
        line.receive()
        line.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        line.wait_for_leaving()


def test_answer_before_the_bodys_end_reaches_the_client(proxy: ConnectProxy, authority: Authority) -> None:
    with Hasty(authority) as host:
        room = GatewayRoom(proxy, [("localhost", host.port)])
        with room as gateway, gateway.connect("localhost", port=host.port) as connection:
            secured = secured_by(gateway.authority, connection)
            head = f"POST /x HTTP/1.1\r\nHost: localhost:{host.port}\r\nContent-Length: 900000000\r\n\r\n"
            secured.sendall(head.encode() + b"x" * 1000)
            got = read_answer(secured)
            secured.close()

    assert (got.status, got.body) == (413, b"no!")
