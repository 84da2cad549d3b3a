"""One request and its answer: from the client to a host and back, with the credential that the broker gives.

Bodies are handed on piece by piece. A redirect, an error or whatever else a feed says is the client's to
judge; only a 401 to a credential of ours is asked again, once, with a new one. Heads are written by h11, and
its state machine reads chunked bodies; a body of known length passes as it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

import h11

from broker.gateway.channel import PIECE_BYTES, Channel
from broker.gateway.deadlines import Deadlines, within
from broker.gateway.host_rules import Endpoint
from broker.gateway.inbox import Inbox, TooLargeError
from broker.gateway.injection import READING, Injected, Injector, Untouched, Withheld
from broker.gateway.request_head import HOP_BY_HOP, RequestHead, nominated
from broker.gateway.upstream import UnreachableError, Upstream

UNAUTHORIZED = 401
PROXY_LOGIN = 407
LINGER_S = 1.0
"""How long a client may go on sending what was refused, so that it reads why (RFC 9112 section 9.6)."""

REASON_CHARACTERS_MAX = 300


class BadAnswerError(Exception):
    """A host answered with what is no HTTP/1.1, or can be read in two ways."""


class Framing(Enum):
    """How the end of a body is found, where its length is not known."""

    CHUNKED = "chunked"
    UNTIL_END = "the connection's end"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes: `path` as the client wrote it, with its query."""

    scheme: str
    endpoint: Endpoint
    path: str

    @property
    def host(self) -> str:
        """What stands in Host."""
        default = 443 if self.scheme == "https" else 80
        shown = str(self.endpoint)
        return shown.removesuffix(f":{default}") if self.endpoint.port == default else shown

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.host}{self.path}"


@dataclass(slots=True)
class _Line:
    """A connection to a host. `talk` is the request under way; `is_used`: it has carried one before."""

    endpoint: Endpoint
    channel: Channel
    inbox: Inbox
    talk: h11.Connection
    is_head: bool = False
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    framing: int | Framing
    keeps: bool


class Exchanger:
    """Answers the requests of one client, in their order. Close it at the end."""

    def __init__(
        self, client: Channel, inbox: Inbox, upstream: Upstream, injector: Injector, deadlines: Deadlines
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._upstream = upstream
        self._injector = injector
        self._deadlines = deadlines
        self._line: _Line | None = None

    async def answer(self, raw: bytes, request: RequestHead, to: Destination) -> bool:
        """Answer the request, whose head is `raw`; True when the client may go on with another one.

        Raises OSError or TimeoutError when the client, or the answer that it already reads, breaks off.
        """
        given = next(iter(request.values(b"authorization")), None)
        decision = await self._injector.decide(request.method, to.url, given)
        if isinstance(decision, Withheld):
            await refuse(self._client, 403, decision.line, is_head=request.method == "HEAD")
            return False
        talk = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
        try:
            talk.receive_data(raw)
            talk.next_event()
        except h11.RemoteProtocolError:
            await refuse(self._client, 400, "the request is not one of HTTP/1.1")
            return False
        try:
            sent_all, answer = await self._ask(request, talk, to, decision)
        except UnreachableError as error:
            await refuse(self._client, 502, str(error), is_head=request.method == "HEAD")
            return False
        except TimeoutError:
            await refuse(self._client, 504, f"{to.endpoint} did not answer in time")
            return False
        except BadAnswerError as error:
            await refuse(self._client, 502, f"{to.endpoint} {error}")
            return False
        return await self._hand_over(request, talk, answer, keeps=sent_all)

    def close(self) -> None:
        """Let go of the host."""
        if self._line is not None:
            self._line.channel.close()
            self._line = None

    async def _ask(
        self, request: RequestHead, talk: h11.Connection, to: Destination, decision: Injected | Untouched
    ) -> tuple[bool, _Answer]:
        """Whether the whole request was sent, and what the host says to it."""
        sent_all, answer = await self._attempt(request, talk, to, decision)
        if answer.status != UNAUTHORIZED or not isinstance(decision, Injected) or request.has_body:
            return sent_all, answer
        given = next(iter(request.values(b"authorization")), None)
        another = await self._injector.another(to.url, given, decision)
        if another is None:
            return sent_all, answer
        self.close()
        return await self._attempt(request, talk, to, another)

    async def _attempt(
        self, request: RequestHead, talk: h11.Connection, to: Destination, decision: Injected | Untouched
    ) -> tuple[bool, _Answer]:
        line = await self._connected(request, to)
        if line.is_used and (request.has_body or request.method not in READING):
            self.close()  # it cannot be sent twice, so it goes by a connection that cannot just have ended
            line = await self._connected(request, to)
        if request.has_body:
            return await self._with_body(request, talk, to, decision, line)
        head = _written(line.talk, request, to, decision, self._upstream)
        try:
            return True, await self._without_body(line, head)
        except (OSError, BadAnswerError):
            if not line.is_used:
                raise
        # a connection that was kept may have ended before the host saw this request (RFC 9112 section 9.3.1)
        self.close()
        line = await self._connected(request, to)
        return True, await self._without_body(
            line, _written(line.talk, request, to, decision, self._upstream)
        )

    async def _without_body(self, line: _Line, head: bytes) -> _Answer:
        async with within(self._deadlines.stall_s):
            await line.channel.send(head)
            return await _answered(line)

    async def _with_body(
        self,
        request: RequestHead,
        talk: h11.Connection,
        to: Destination,
        decision: Injected | Untouched,
        line: _Line,
    ) -> tuple[bool, _Answer]:
        await line.channel.send(_written(line.talk, request, to, decision, self._upstream))
        if request.awaits_100:
            await self._client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        sending = asyncio.create_task(self._send_body(request, talk, line))
        answering = asyncio.create_task(_answered(line))
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                sending.result()  # raises where the client broke off
                async with within(self._deadlines.stall_s):
                    await asyncio.wait({answering})
            return (
                sending.done() and not sending.cancelled() and sending.exception() is None,
                answering.result(),
            )
        finally:
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)

    async def _send_body(self, request: RequestHead, talk: h11.Connection, line: _Line) -> None:
        """Hand the request's body on. That the host stops reading is no failure: it may have answered."""
        is_chunked = request.length is None
        body = self._chunks(talk) if is_chunked else self._length(self._inbox, request.length or 0)
        async for piece in body:
            content = line.talk.send(h11.Data(data=piece)) if is_chunked else piece
            with contextlib.suppress(OSError):
                async with within(self._deadlines.stall_s):
                    await line.channel.send(content or b"")
                continue
            return
        if is_chunked:
            with contextlib.suppress(OSError):
                await line.channel.send(line.talk.send(h11.EndOfMessage()) or b"")

    async def _chunks(self, talk: h11.Connection) -> AsyncIterator[bytes]:
        """The client's chunked body, without its framing. Raises ConnectionError for what is none."""
        while True:
            try:
                event = talk.next_event()
            except h11.RemoteProtocolError:
                raise ConnectionError("the body is not chunked") from None
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._inbox.put_back(talk.trailing_data[0])
                return
            else:
                talk.receive_data(await self._more(self._inbox, PIECE_BYTES))

    async def _length(self, inbox: Inbox, length: int) -> AsyncIterator[bytes]:
        while length:
            piece = await self._more(inbox, min(length, PIECE_BYTES))
            length -= len(piece)
            yield piece

    async def _more(self, inbox: Inbox, most: int) -> bytes:
        piece = await inbox.some(most, self._deadlines.stall_s)
        if not piece:
            raise ConnectionError("a body ended too early")
        return piece

    async def _hand_over(
        self, request: RequestHead, talk: h11.Connection, answer: _Answer, *, keeps: bool
    ) -> bool:
        """Give the answer to the client; what breaks off is broken off there, too."""
        line = self._line
        if line is None:
            raise ConnectionError("the connection is gone")
        keeps = keeps and request.is_http_1_1
        keeps = keeps and not any(b"close" in nominated(value) for value in request.values(b"connection"))
        fields = list(answer.fields) if keeps else [*answer.fields, (b"connection", b"close")]
        head = talk.send(h11.Response(status_code=answer.status, reason=answer.reason, headers=fields)) or b""
        if isinstance(answer.framing, int):
            await self._hand_on(self._length(line.inbox, answer.framing), head)
        else:
            pieces = (
                self._answer_chunks(line) if answer.framing is Framing.CHUNKED else self._rest(line.inbox)
            )
            await self._hand_on(_framed(talk, pieces), head)
        line.is_used = True
        if not (answer.keeps and keeps):
            self.close()
        return keeps

    async def _hand_on(self, pieces: AsyncIterator[bytes], head: bytes) -> None:
        async for piece in pieces:
            await self._give(head + piece if head else piece)
            head = b""
        if head:
            await self._give(head)

    async def _give(self, content: bytes) -> None:
        async with within(self._deadlines.stall_s):
            await self._client.send(content)

    async def _answer_chunks(self, line: _Line) -> AsyncIterator[bytes]:
        while True:
            try:
                event = line.talk.next_event()
            except h11.RemoteProtocolError:
                raise ConnectionError("the answer's body is not chunked") from None
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                line.inbox.put_back(line.talk.trailing_data[0])
                return
            else:
                line.talk.receive_data(await self._more(line.inbox, PIECE_BYTES))

    async def _rest(self, inbox: Inbox) -> AsyncIterator[bytes]:
        while piece := await inbox.some(PIECE_BYTES, self._deadlines.stall_s):
            yield piece

    async def _connected(self, request: RequestHead, to: Destination) -> _Line:
        """The connection to the host, with a new conversation; made where there is none."""
        if self._line is not None and self._line.endpoint != to.endpoint:
            self.close()
        if self._line is None:
            connect = self._upstream.secure if to.scheme == "https" else self._upstream.plain
            channel = await connect(to.endpoint)
            self._line = _Line(to.endpoint, channel, Inbox(channel), h11.Connection(h11.CLIENT))
        self._line.talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 16)
        self._line.is_head = request.method == "HEAD"
        return self._line


def _written(
    talk: h11.Connection,
    request: RequestHead,
    to: Destination,
    decision: Injected | Untouched,
    upstream: Upstream,
) -> bytes:
    """The request's head as the host gets it."""
    fields = [(b"host", to.host.encode("ascii")), *request.end_to_end()]
    if isinstance(decision, Injected):
        fields = [field for field in fields if field[0] != b"authorization"]
        fields.append((b"authorization", decision.authorization))
    target = to.path
    proxy = upstream.lead_to(to.endpoint) if to.scheme == "http" else None
    if proxy is not None:
        target = to.url
        if proxy.authorization is not None:
            fields.append((b"proxy-authorization", proxy.authorization))
    if request.length is None:
        fields.append((b"transfer-encoding", b"chunked"))
    elif request.length or request.values(b"content-length"):
        fields.append((b"content-length", str(request.length).encode("ascii")))
    head = talk.send(h11.Request(method=request.method, target=target, headers=fields)) or b""
    if not request.has_body:
        head += talk.send(h11.EndOfMessage()) or b""
    return head


async def _answered(line: _Line) -> _Answer:
    """The host's final answer. Raises BadAnswerError, OSError."""
    while True:
        try:
            head = await line.inbox.head(idle_s=None, head_s=None)
            if head is None:
                raise BadAnswerError("hung up without an answer")
            line.talk.receive_data(head)
            event = line.talk.next_event()
        except TooLargeError:
            raise BadAnswerError("answered with too many header fields") from None
        except ConnectionError:
            raise BadAnswerError("hung up without a whole answer") from None
        except h11.ProtocolError:
            raise BadAnswerError("did not answer in HTTP/1.1") from None
        if isinstance(event, h11.Response):
            return _read(event, line)
        if (
            not isinstance(event, h11.InformationalResponse)
            or event.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        ):
            raise BadAnswerError("changed the protocol without being asked")


def _read(answer: h11.Response, line: _Line) -> _Answer:
    if answer.status_code == PROXY_LOGIN:
        raise BadAnswerError("asked for the password of a proxy")
    lengths = [value for name, value in answer.headers if name == b"content-length"]
    codings = [value for name, value in answer.headers if name == b"transfer-encoding"]
    if lengths and codings:
        raise BadAnswerError("answered with a length and a transfer coding")
    framing: int | Framing
    if answer.status_code in {204, 304} or line.is_head:
        framing = 0
    elif codings:
        framing = Framing.CHUNKED
    elif lengths:
        framing = int(lengths[0])
    else:
        framing = Framing.UNTIL_END
    named = set().union(*(nominated(value) for name, value in answer.headers if name == b"connection"))
    dropped = HOP_BY_HOP | named
    fields = tuple((name, value) for name, value in answer.headers if name not in dropped)
    keeps = answer.http_version == b"1.1" and b"close" not in named and framing is not Framing.UNTIL_END
    return _Answer(answer.status_code, answer.reason, fields, framing, keeps)


async def _framed(talk: h11.Connection, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces as the client's version of HTTP has a body without a length."""
    async for piece in pieces:
        yield talk.send(h11.Data(data=piece)) or b""
    yield talk.send(h11.EndOfMessage()) or b""


async def refuse(
    client: Channel, status: int, reason: str, *fields: tuple[bytes, bytes], is_head: bool = False
) -> None:
    """Answer in the gateway's own name, and end the conversation. The status line has the reason, too: pip
    shows that and no body. Raises OSError.
    """
    shown = "".join(each if " " <= each <= "~" else "?" for each in reason)[:REASON_CHARACTERS_MAX]
    body = f"token-broker: {reason}\n".encode()
    phrase = f"{HTTPStatus(status).phrase} (token-broker: {shown})".encode("ascii")
    head = [
        b"HTTP/1.1 %d %s" % (status, phrase),
        b"content-type: text/plain; charset=utf-8",
        b"content-length: %d" % len(body),
        b"connection: close",
        *(b"%s: %s" % field for field in fields),
    ]
    with contextlib.suppress(TimeoutError):
        async with within(LINGER_S):
            await client.send(b"\r\n".join(head) + b"\r\n\r\n" + (b"" if is_head else body))
            await client.end()
            while await client.receive():
                pass
