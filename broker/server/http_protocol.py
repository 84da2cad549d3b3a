"""HTTP on an accepted connection: uvicorn, made strict where it is lenient.

uvicorn waits for a request for ever, takes bodies of any size, answers pipelined requests and offers upgrades
(tried with 0.54). Here a request must arrive whole and small within a deadline, or the connection is closed.
tests/server/test_http_protocol.py names the attributes of uvicorn that this module uses.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from broker.core.access import PEER_EXTENSION
from broker.core.failures import BadRequest
from broker.core.problem import MEDIA_TYPE, problem_json
from broker.server.coalescing_transport import CoalescingTransport
from broker.server.early_response import Accepted
from broker.server.limits import Limits
from broker.server.rate_limit import RateLimit
from broker.server.ucred import Peer

Scope = Any
Receive = Any
Send = Callable[[dict[str, Any]], Any]
App = Callable[[Scope, Receive, Any], Any]


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


class HttpConnections:
    """HTTP on all connections of one server: what their protocols share."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._limits = limits
        self._config = uvicorn.Config(
            app,
            interface="asgi3",
            http="h11",  # httptools takes headers without end: 50 MB block its loop for 11 s (measured)
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # there is no proxy between us and the peer
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=limits.request_bytes,
            timeout_keep_alive=3600,  # never: HttpProtocol's deadline is the one clock
        )
        self._config.load()
        self._state = ServerState()

    def protocol(
        self,
        accepted: Accepted,
        about_socket: dict[str, object],
        rate_limit: RateLimit | None,
        leave: Callable[[], None],
    ) -> HttpProtocol:
        """The protocol of an accepted connection, which calls `leave` when that is lost."""
        return HttpProtocol(
            self._config,
            self._state,
            {},
            accepted=accepted,
            about_socket=about_socket,
            limits=self._limits,
            rate_limit=rate_limit,
            leave=leave,
        )

    def finish(self) -> None:
        """Close the connections that wait for a request, and each other one after its answer."""
        for connection in tuple(self._state.connections):
            connection.shutdown()

    async def finished(self) -> None:
        """Return when the application has no request any more."""
        while self._state.tasks:
            await asyncio.wait(self._state.tasks)


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
