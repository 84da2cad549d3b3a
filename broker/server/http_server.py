"""HTTP on an accepted connection: uvicorn, made strict where it is lenient.

uvicorn waits for a request for ever, takes bodies of any size, answers pipelined requests and offers upgrades
(tried with 0.54). Here a request must arrive whole and small within a deadline, or the connection is closed.
tests/server/test_http_server.py names the attributes of uvicorn that this module uses.
"""

import asyncio
import contextlib
import functools
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from broker.core.access import (
    LONG_ANSWERS_EXTENSION,
    PEER_EXTENSION,
    SOCKET_KIND_EXTENSION,
    OwnSocket,
    SocketKind,
)
from broker.core.failures import BadRequest
from broker.core.problem import MEDIA_TYPE, problem_json
from broker.server.acceptor import Acceptor
from broker.server.coalescing_transport import CoalescingTransport
from broker.server.early_response import Accepted, Reply
from broker.server.limits import Limits
from broker.server.log_throttle import LogThrottle
from broker.server.long_answers import LongAnswers
from broker.server.rate_limit import RateLimit
from broker.server.ucred import Peer, peer_of

__all__ = [
    "HttpProtocol",
    "HttpServer",
    "ListenerSpec",
    "Peer",
    "any_peer",
    "ours_or_root",
    "peer_of",
]

THROTTLED_LOGGERS = ("uvicorn.error", "asyncio", "broker.host.door")
"""A client can trigger their records, so each message is logged a few times a minute at most."""

Scope = Any
Receive = Any
Send = Callable[[dict[str, Any]], Any]
App = Callable[[Scope, Receive, Any], Any]


def ours_or_root(peer: Peer) -> bool:
    """A user's own broker serves that user and root, as ssh-agent does."""
    return peer.uid in {os.geteuid(), 0}


def any_peer(peer: Peer) -> bool:  # noqa: ARG001 - the signature of `admits`
    """The system broker serves every peer that its socket's mode admits."""
    return True


OWN = OwnSocket()


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """A listening socket: its kind, and which peers it accepts by uid and gid.

    `see` returns the peer of a connection: `peer_of` knows none that the kernel cannot name in our
    namespaces. `reply` may answer before a protocol is made. `connections`: held at once, by default the
    server's limit. `per_user_s`: requests of one user that are answered in a second, further ones wait; by
    default the server's. `account_of` maps the uids of one user to one number.
    """

    listening: socket.socket
    socket_kind: SocketKind = OWN
    admits: Callable[[Peer], bool] = ours_or_root
    see: Callable[[socket.socket], Peer | None] = peer_of
    reply: Reply | None = None
    connections: int | None = None
    per_user_s: float | None = None
    account_of: Callable[[int], int] = lambda uid: uid


class HttpProtocol(H11Protocol):
    """One connection. The scope of each request has the peer and what is known about the socket."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        accepted: Accepted,
        about_socket: dict[str, object],
        limits: Limits,
        rate_limit: RateLimit | None,
        leave: Callable[[], None],
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.app = _Strict(self.app, accepted.peer, about_socket, limits, rate_limit)
        self._accepted = accepted
        self._limits = limits
        self._leave = leave
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own
        """Start the first request's deadline, and take in what the early responder has read."""
        super().connection_made(CoalescingTransport(transport, self.loop))  # type: ignore[arg-type] # one in all but name
        due = self._accepted.arrived + self._limits.request_s
        self._deadline = self.loop.call_at(due, self.transport.abort)
        if self._accepted.received:
            self.data_received(self._accepted.received)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers, and make room for the next connection."""
        for timer in (self._deadline, self._stall):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        self._leave()

    def handle_events(self) -> None:
        """Handle what arrived. uvicorn calls this after each answer too, so the next deadline starts here.

        A client that pipelines requests gets one answer.
        """
        super().handle_events()
        if self._request_is_whole() and (surplus := self.conn.trailing_data[0]):
            if len(surplus) > self._limits.request_bytes:
                self.transport.abort()
            elif self.cycle is not None:
                self.cycle.keep_alive = False
        self._keep_time()

    def pause_writing(self) -> None:
        """The peer does not read: abort after `stall_s`."""
        super().pause_writing()
        self._stall = self.loop.call_later(self._limits.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; an application that was called for a good head must send nothing then."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # uvicorn 0.54 lets it answer a second time, which is a traceback
        super().send_400_response(msg)

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: the request is answered by a refusal."""

    def _request_is_whole(self) -> bool:
        return self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}

    def _keep_time(self) -> None:
        """The deadline runs from the connection's start or the last answer; single bytes do not extend it."""
        if self._request_is_whole():
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self._limits.request_s, self.transport.abort)


class HttpServer(uvicorn.Server):
    """uvicorn with an Acceptor for each ListenerSpec: `await serve()` until `stop()`. Keeps the sockets open.

    Signals are the daemon's, so none is caught here. At the end, requests under way have `drain_s` seconds.
    `opened` is called once connections are accepted.
    """

    def __init__(
        self,
        app: App,
        specs: Sequence[ListenerSpec],
        *,
        limits: Limits,
        drain_s: int = 10,
        lifespan: Literal["on", "off"] = "on",
        opened: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http="h11",  # httptools takes headers without end: 50 MB block its loop for 11 s (measured)
                ws="none",
                lifespan=lifespan,
                log_config=None,
                access_log=False,
                proxy_headers=False,  # there is no proxy between us and the peer
                server_header=False,
                date_header=False,
                h11_max_incomplete_event_size=limits.request_bytes,
                timeout_keep_alive=3600,  # never: HttpProtocol's deadline is the one clock
                timeout_graceful_shutdown=drain_s,
            )
        )
        self._specs = specs
        self._opened = opened
        self._limits = limits
        self._log_throttle = LogThrottle(THROTTLED_LOGGERS)
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Accept no more connections, finish the requests under way, and make `serve` return."""
        self.should_exit = True
        self._stopped.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept connections."""
        await super().startup(sockets=sockets or [])
        self._log_throttle.start()
        for spec in self._specs:
            self.open(spec)
        self._opened()

    def open(self, spec: ListenerSpec) -> Acceptor:
        """Accept connections on one more socket, until the Acceptor is closed or the server ends."""
        per_user_s = spec.per_user_s or self._limits.per_user_s
        rate_limit = None if per_user_s is None else RateLimit(per_user_s, spec.account_of)
        most = min(spec.connections or self._limits.connections, self._limits.connections)
        limits = replace(self._limits, connections=most)
        long_answers = LongAnswers(limits.long_answers, limits.long_answers_per_user, spec.account_of)
        about: dict[str, object] = {
            SOCKET_KIND_EXTENSION: spec.socket_kind,
            LONG_ANSWERS_EXTENSION: long_answers,
        }
        make_protocol = functools.partial(self._make_protocol, about, rate_limit)
        acceptor = Acceptor(
            spec.listening,
            limits,
            admits=spec.admits,
            make_protocol=make_protocol,
            reply=spec.reply,
            rate_limit=rate_limit,
            see=spec.see,
            account_of=spec.account_of,
        )
        self.servers.append(acceptor)  # type: ignore[arg-type] # it has what uvicorn calls of one: close, wait_closed
        return acceptor

    async def main_loop(self) -> None:
        """Sleep until `stop`: uvicorn would wake ten times a second."""
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, wait for the answers under way, then end the application."""
        await super().shutdown(sockets=sockets)
        self._log_throttle.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    def _make_protocol(
        self,
        about_socket: dict[str, object],
        rate_limit: RateLimit | None,
        accepted: Accepted,
        leave: Callable[[], None],
    ) -> HttpProtocol:
        return HttpProtocol(
            self.config,
            self.server_state,
            self.lifespan.state,
            accepted=accepted,
            about_socket=about_socket,
            limits=self._limits,
            rate_limit=rate_limit,
            leave=leave,
        )


class _Strict:
    """The application for one connection: refuses what no client of a broker has reason to send."""

    def __init__(
        self,
        app: App,
        peer: Peer,
        about_socket: dict[str, object],
        limits: Limits,
        rate_limit: RateLimit | None,
    ) -> None:
        self._app = app
        self._uid = peer.uid
        self._rate_limit = rate_limit
        self._is_first = True
        self._about = {PEER_EXTENSION: peer._asdict(), **about_socket}
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._rate_limit is not None and not self._is_first:
            await self._rate_limit.wait(self._uid)  # the Acceptor has waited before the first one
        self._is_first = False
        headers = dict(scope["headers"])
        if b"upgrade" in headers:
            await _refuse(send, 400, "this socket speaks HTTP/1.1 and nothing else")
        elif b"transfer-encoding" in headers:
            await _refuse(send, 400, "a body must be sent with its length")
        elif int(headers.get(b"content-length", b"0")) > self._limits.body_bytes:
            await _refuse(send, 413, f"no request has a body of more than {self._limits.body_bytes} bytes")
        else:
            extensions = {**scope.get("extensions", {}), **self._about}
            await self._app({**scope, "extensions": extensions}, receive, send)


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = json.dumps(problem_json(BadRequest(detail), status=status)).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
