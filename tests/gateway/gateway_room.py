"""A gateway in a thread of the test's own, between a raw client and fake hosts, with a broker whose table is
the real one. Next: `conftest.py`, which starts it.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self

import h11

from broker.core.failures import BadRequest
from broker.core.feeds import Feed, FeedTable, Match, Realm
from broker.core.urls import parse_service, parse_url
from broker.gateway.authority import RunAuthority
from broker.gateway.deadlines import Deadlines
from broker.gateway.gateway_server import Gateway, made_parts
from broker.gateway.host_rules import Endpoint
from broker.gateway.instructions import Instructions
from broker.gateway.preparation import prepared
from broker.host.clock import SystemClock
from tests.ctl.stand_in import StandInBroker, problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from broker.core.feeds import Recognised
    from broker.core.urls import Service
    from tests.fakes.connect_proxy import ConnectProxy

SECRET = "0123456789abcdef" * 4
PATIENCE_S = 60.0
"""A hundred connections of threads on two busy cores; nothing waits that long for what does not come."""
USER = "ci"


class TableBroker(StandInBroker):
    """A stand-in that answers look-ups by a real FeedTable; `tokens` by feed, `fetched` after a renewal."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.tokens: dict[str, str] = {}
        self.fetched: dict[str, str] = {}
        self.failures: dict[str, tuple[int, bytes]] = {}
        self._feeds: list[Feed] = []
        self._table = FeedTable((), _nothing, _nobody)
        self.answers["GET /v1/credential"] = self._credential
        self.answers["GET /v1/match"] = self._match

    def feed(self, name: str, url: str, token: str, *, scope: str = "read") -> None:
        """Know a feed."""
        self._feeds.append(Feed(name, Realm("basic", url), (parse_url(url),), scope=scope))
        self._table = FeedTable(self._feeds, _nothing, _nobody)
        self.tokens[name] = token
        self.answers[f"POST /v1/feeds/{name}/refresh"] = lambda _: self._renew(name)

    def _found(self, query: dict[str, str]) -> Match | None:
        try:
            found = self._table.match(parse_service(query["url"]), query.get("username"))
        except BadRequest:
            return None
        return found if isinstance(found, Match) else None

    def _credential(self, query: dict[str, str]) -> tuple[int, object]:
        found = self._found(query)
        if found is None:
            return 404, b"no feed has this address\n"
        if found.feed.name in self.failures:
            return self.failures[found.feed.name]
        return 200, f"{USER}\n{self.tokens[found.feed.name]}\n".encode()

    def _match(self, query: dict[str, str]) -> tuple[int, object]:
        found = self._found(query)
        if found is None:
            return problem(404, "no-feed", "no feed has this address")
        return 200, {"feed": found.feed.name, "scope": found.key.scope}

    def _renew(self, name: str) -> tuple[int, object]:
        self.tokens[name] = self.fetched.get(name, self.tokens[name])
        return 200, {"name": name}


def _nothing(_: Service) -> Recognised | None:
    return None


def _nobody(_: Recognised) -> Feed | None:
    return None


class GatewayRoom:
    """A running gateway. `proxy` is what was set before, and leads to every fake host."""

    def __init__(
        self,
        proxy: ConnectProxy,
        hosts: Iterable[str | tuple[str, int]],
        *,
        environ: dict[str, str] | None = None,
        strict: bool = False,
        allowed: tuple[str, ...] = (),
        deadlines: Deadlines | None = None,
    ) -> None:
        self._proxy = proxy
        feeds = frozenset(Endpoint(each, 443) if isinstance(each, str) else Endpoint(*each) for each in hosts)
        instructions = Instructions(SECRET, feeds, is_strict=strict, allowed=allowed)
        environ = {"https_proxy": proxy.url, "http_proxy": proxy.url} if environ is None else environ
        clock = SystemClock()
        made = prepared(instructions, environ, RunAuthority(instructions.rules.names(), clock))
        self._made = (instructions, made, clock, deadlines)
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._thread = threading.Thread(target=self._run, name="gateway")
        self._ready = threading.Event()
        self.authority = ""
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        parts = made_parts(*self._made)
        self.parts = parts
        self.authority = parts.authority.certificate
        self._task = asyncio.current_task() or self._fail()
        self._ready.set()
        try:
            await Gateway(parts).serve(self._listener)
        finally:
            self._listener.close()
            parts.injector._broker.close()

    def _fail(self) -> asyncio.Task[None]:
        raise RuntimeError("no task")

    @property
    def url(self) -> str:
        """What stands in HTTPS_PROXY."""
        return f"http://gateway:{SECRET}@127.0.0.1:{self.port}"

    def dial(self) -> socket.socket:
        """A connection to the gateway, without a word."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def connect(self, host: str, *, port: int = 443, secret: str = SECRET) -> socket.socket:
        """A connection on which the gateway has agreed to CONNECT."""
        connection = self.dial()
        connection.sendall(connect_words(f"{host}:{port}", secret))
        said = read_head(connection)
        assert said.startswith(b"HTTP/1.1 200 "), said
        return connection

    def secure(
        self, host: str, *, port: int = 443, sni: str | None = None, trust: str | None = None
    ) -> ssl.SSLSocket:
        """TLS to a host through the gateway, by a client that trusts the run's authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=trust or self.authority)
        connection = self.connect(host, port=port)
        try:
            return context.wrap_socket(connection, server_hostname=sni or host)
        except BaseException:
            connection.close()
            raise

    def ask(
        self, host: str, path: str, *fields: str, port: int = 443, method: str = "GET", body: bytes = b""
    ) -> Got:
        """The answer to one request to a feed's host."""
        with self.secure(host, port=port) as connection:
            named = host if port == 443 else f"{host}:{port}"
            return talk(connection, named, path, *fields, method=method, body=body)


class Got:
    """An answer, read to its end."""

    def __init__(self, status: int, reason: str, fields: dict[str, str], body: bytes) -> None:
        self.status, self.reason, self.fields, self.body = status, reason, fields, body


def proxy_login(secret: str = SECRET) -> str:
    """The value of Proxy-Authorization."""
    return "Basic " + base64.b64encode(f"gateway:{secret}".encode()).decode()


def connect_words(target: str, secret: str = SECRET) -> bytes:
    """A CONNECT as clients write it."""
    login = f"Proxy-Authorization: {proxy_login(secret)}"
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n\r\n".encode()


def read_head(connection: socket.socket) -> bytes:
    """What comes up to an empty line, or the end."""
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        said += byte
    return said


def talk(
    connection: socket.socket, host: str, path: str, *fields: str, method: str = "GET", body: bytes = b""
) -> Got:
    """Send a request and read the answer; the connection stays open."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return read_answer(connection, method)


def read_answer(connection: socket.socket, method: str = "GET") -> Got:
    """The next answer on the connection. Raises h11.RemoteProtocolError where it breaks off."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    head: h11.Response | None = None
    body = bytearray()
    while True:
        match parser.next_event():
            case h11.Response() as head:
                pass
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage() if head is not None:
                fields = {name.decode(): value.decode() for name, value in head.headers}
                return Got(head.status_code, bytes(head.reason).decode(), fields, bytes(body))
            case h11.NEED_DATA:
                parser.receive_data(connection.recv(65536))
            case other:
                raise AssertionError(other)
