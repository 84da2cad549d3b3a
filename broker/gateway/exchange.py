"""One request and its answer: from the client to a host and back, with the credential that the broker gives.

Bodies are handed on piece by piece. A redirect, an error or whatever else a feed says is the client's to
judge; only a 401 to a credential of ours is asked again, once, with a new one. Heads are written by h11, and
its state machine reads chunked bodies; a body of known length passes as it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import h11

from broker.gateway.bodies import framed, of_length, unchunked, until_end
from broker.gateway.channel import Channel
from broker.gateway.deadlines import Deadlines
from broker.gateway.destination import Destination
from broker.gateway.host_answer import BadAnswerError, Framing, HostAnswer, final_answer
from broker.gateway.idle_lines import HostLine
from broker.gateway.inbox import Inbox
from broker.gateway.injection import READING, Injected, Injector, Untouched, Withheld
from broker.gateway.refusal import refuse
from broker.gateway.request_head import RequestHead, nominated
from broker.gateway.upstream import UnreachableError, Upstream

UNAUTHORIZED = 401


class Exchanger:
    """Answers the requests of one client, in their order. Close it at the end."""

    def __init__(
        self, client: Channel, inbox: Inbox, upstream: Upstream, injector: Injector, deadlines: Deadlines
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._upstream = upstream
        self._idle = upstream.idle
        self._injector = injector
        self._deadlines = deadlines
        self._line: HostLine | None = None

    async def answer(self, raw: bytes, request: RequestHead, to: Destination) -> bool:
        """Answer the request, whose head is `raw`; True when the client may go on with another one.

        Raises OSError or TimeoutError when the client, or the answer that it already reads, breaks off.
        """
        is_head = request.method == "HEAD"
        given = next(iter(request.values(b"authorization")), None)
        decision = await self._injector.decide(request.method, to.url, given)
        if isinstance(decision, Withheld):
            await refuse(self._client, 403, decision.line, is_head=is_head)
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
            status, why = 502, str(error)
        except TimeoutError:
            status, why = 504, f"{to.endpoint} did not answer in time"
        except BadAnswerError as error:
            status, why = 502, f"{to.endpoint} {error}"
        else:
            return await self._hand_over(request, talk, answer, keeps=sent_all)
        if isinstance(decision, Injected):
            self._injector.report.failed(why)  # uv shows the status alone
        await refuse(self._client, status, why, is_head=is_head)
        return False

    def close(self) -> None:
        """Let go of the host: another client's request may use the connection, if it can."""
        if self._line is not None:
            self._idle.keep(self._line)
            self._line = None

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.is_at_rest = False
            self.close()

    async def _ask(
        self, request: RequestHead, talk: h11.Connection, to: Destination, decision: Injected | Untouched
    ) -> tuple[bool, HostAnswer]:
        """Whether the whole request was sent, and what the host says to it."""
        sent_all, answer = await self._attempt(request, talk, to, decision)
        if answer.status != UNAUTHORIZED or not isinstance(decision, Injected) or request.has_body:
            return sent_all, answer
        given = next(iter(request.values(b"authorization")), None)
        another = await self._injector.another(to.url, given, decision)
        if another is None:
            return sent_all, answer
        self._hang_up()
        return await self._attempt(request, talk, to, another)

    async def _attempt(
        self, request: RequestHead, talk: h11.Connection, to: Destination, decision: Injected | Untouched
    ) -> tuple[bool, HostAnswer]:
        if request.has_body or request.method not in READING:
            self._hang_up()  # it cannot be sent twice, so it goes by a connection that cannot just have ended
            line = await self._connected(request, to, decision, is_new=True)
        else:
            line = await self._connected(request, to, decision)
        if request.has_body:
            return await self._with_body(request, talk, to, decision, line)
        head = _written(line.talk, request, to, decision, self._upstream)
        try:
            return True, await self._without_body(line, head)
        except (OSError, BadAnswerError):
            if not line.is_used:
                raise
        # a connection that was kept may have ended before the host saw this request (RFC 9112 section 9.3.1)
        self._hang_up()
        line = await self._connected(request, to, decision, is_new=True)
        return True, await self._without_body(
            line, _written(line.talk, request, to, decision, self._upstream)
        )

    async def _without_body(self, line: HostLine, head: bytes) -> HostAnswer:
        async with asyncio.timeout(self._deadlines.stall_s):
            await line.channel.send(head)
            return await final_answer(line.talk, line.inbox, is_head=line.is_head)

    async def _with_body(
        self,
        request: RequestHead,
        talk: h11.Connection,
        to: Destination,
        decision: Injected | Untouched,
        line: HostLine,
    ) -> tuple[bool, HostAnswer]:
        await line.channel.send(_written(line.talk, request, to, decision, self._upstream))
        if request.awaits_100:
            await self._client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        sending = asyncio.create_task(self._send_body(request, talk, line))
        answering = asyncio.create_task(final_answer(line.talk, line.inbox, is_head=line.is_head))
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                sending.result()  # raises where the client broke off
                async with asyncio.timeout(self._deadlines.stall_s):
                    await asyncio.wait({answering})
            return (
                sending.done() and not sending.cancelled() and sending.exception() is None,
                answering.result(),
            )
        finally:
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)

    async def _send_body(self, request: RequestHead, talk: h11.Connection, line: HostLine) -> None:
        """Hand the request's body on. That the host stops reading is no failure: it may have answered."""
        is_chunked = request.length is None
        stall_s = self._deadlines.stall_s
        body = (
            of_length(self._inbox, request.length, stall_s)
            if request.length is not None
            else unchunked(talk, self._inbox, stall_s)
        )
        async for piece in body:
            content = line.talk.send(h11.Data(data=piece)) if is_chunked else piece
            with contextlib.suppress(OSError):
                async with asyncio.timeout(self._deadlines.stall_s):
                    await line.channel.send(content or b"")
                continue
            return
        if is_chunked:
            with contextlib.suppress(OSError):
                await line.channel.send(line.talk.send(h11.EndOfMessage()) or b"")

    async def _hand_over(
        self, request: RequestHead, talk: h11.Connection, answer: HostAnswer, *, keeps: bool
    ) -> bool:
        """Give the answer to the client; what breaks off is broken off there, too."""
        line = self._line
        if line is None:
            raise ConnectionError("the connection is gone")
        serves_more = answer.keeps and keeps
        keeps = keeps and request.is_http_1_1
        keeps = keeps and not any(b"close" in nominated(value) for value in request.values(b"connection"))
        fields = list(answer.fields) if keeps else [*answer.fields, (b"connection", b"close")]
        head = talk.send(h11.Response(status_code=answer.status, reason=answer.reason, headers=fields)) or b""
        stall_s = self._deadlines.stall_s
        match answer.framing:
            case int(length):
                pieces = of_length(line.inbox, length, stall_s)
            case Framing.CHUNKED:
                pieces = framed(talk, unchunked(line.talk, line.inbox, stall_s))
            case Framing.UNTIL_END:
                pieces = framed(talk, until_end(line.inbox, stall_s))
        await self._hand_on(pieces, head)
        line.is_used, line.is_at_rest = True, serves_more
        if not line.is_at_rest:
            self._hang_up()
        return keeps

    async def _hand_on(self, pieces: AsyncIterator[bytes], head: bytes) -> None:
        async for piece in pieces:
            await self._give(head + piece if head else piece)
            head = b""
        if head:
            await self._give(head)

    async def _give(self, content: bytes) -> None:
        async with asyncio.timeout(self._deadlines.stall_s):
            await self._client.send(content)

    async def _connected(
        self, request: RequestHead, to: Destination, decision: Injected | Untouched, *, is_new: bool = False
    ) -> HostLine:
        """The connection to the host, with a new conversation; made where there is none, or `is_new`."""
        line = self._line
        if line is not None and (line.endpoint != to.endpoint or is_new):
            self.close()
            line = None
        if line is None and not is_new and to.scheme == "https":
            line = self._idle.take(to.endpoint)
        if line is None:
            connect = self._upstream.secure if to.scheme == "https" else self._upstream.plain
            channel = await connect(to.endpoint)
            line = HostLine(to.endpoint, channel, Inbox(channel), h11.Connection(h11.CLIENT))
            line.is_anyones = to.scheme == "https"
        if isinstance(decision, Untouched) and request.values(b"authorization"):
            line.is_anyones = False
        line.talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 16)
        line.is_head = request.method == "HEAD"
        line.is_at_rest = False
        self._line = line
        return line


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
