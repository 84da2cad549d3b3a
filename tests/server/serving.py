"""A real server on a real socket, and applications for it, each with one habit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from broker.core.access import PEER_EXTENSION
from broker.server.early_response import Reply
from broker.server.http_protocol import App, Receive, Scope, Send
from broker.server.http_server import HttpServer
from broker.server.limits import Limits
from broker.server.listen import take
from broker.server.listener_spec import ListenerSpec, ours_or_root
from broker.server.ucred import Peer

PATIENCE_S = 60.0
"""No test waits longer for anything; only a hang does."""

GET = b"GET /v1/health HTTP/1.1\r\nHost: broker\r\n\r\n"
GET_AND_CLOSE = b"GET /v1/health HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n"


class Greeter:
    """Answers everything with its peer, and counts."""

    def __init__(self) -> None:
        self.peers: list[dict[str, int]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.peers.append(scope["extensions"][PEER_EXTENSION])
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        self.bodies.append(body + message.get("body", b""))
        await self.greet(send)

    async def greet(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


class Crowd(Greeter):
    """Holds its visitors back until the doors are opened, and counts those inside."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.enough = enough
        self.inside = 0
        self.most = 0
        self.is_enough = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside >= self.enough:
            self.is_enough.set()
        await self.go.wait()
        await self.greet(send)
        self.inside -= 1


class Slow(Greeter):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        await self.go.wait()
        await super().__call__(scope, receive, send)


class Serving:
    """A running server and the way to it."""

    def __init__(self, path: Path, server: HttpServer, ended: asyncio.Task[None]) -> None:
        self.path = path
        self.server = server
        self.ended = ended

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.path)

    async def send(self, request: bytes) -> bytes:
        """All that comes back on a connection of its own, to its end."""
        reader, writer = await self.connect()
        with contextlib.closing(writer):
            writer.write(request)
            return await everything(reader)


@contextlib.asynccontextmanager
async def serving(
    place: Path,
    app: App,
    *,
    limits: Limits | None = None,
    admits: Callable[[Peer], bool] = ours_or_root,
    reply: Reply | None = None,
) -> AsyncIterator[Serving]:
    """The application behind a socket of its own; nothing of it is left afterwards."""
    listener = take(place / "token-broker" / "broker.sock")
    server = HttpServer(
        app,
        [ListenerSpec(listener.socket, admits=admits, reply=reply)],
        limits=limits or Limits(),
        drain_s=1,
    )
    ended = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield Serving(listener.path, server, ended)
            server.stop()
            await ended
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        listener.close()


async def turns(count: int = 100) -> None:
    """Let the loop turn: what was going to happen without another word has happened then."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turned = loop.create_future()
        loop.call_soon(turned.set_result, None)
        await turned


async def everything(reader: asyncio.StreamReader) -> bytes:
    """What comes until the other end hangs up, in whichever way."""
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            pieces.append(piece)
    return b"".join(pieces)
