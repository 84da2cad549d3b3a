"""One client's connection: who it is, where it wants to go, and what becomes of that.

`CONNECT` to a feed's host ends its TLS here and answers each request (`exchange.py`); to any other host it
is a blind tunnel. A request in absolute form is plain HTTP. Nothing is done for who lacks the secret.
"""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass

from broker.gateway.admission import CHALLENGE, Admission
from broker.gateway.authority import RunAuthority
from broker.gateway.channel import Channel, accept_tls
from broker.gateway.deadlines import Deadlines
from broker.gateway.destination import Destination, feed_destination, plain_destination
from broker.gateway.exchange import Exchanger
from broker.gateway.host_rules import Endpoint, HostRules, parse_endpoint
from broker.gateway.inbox import Inbox, TooLargeError
from broker.gateway.injection import Injector
from broker.gateway.refusal import refuse
from broker.gateway.request_head import RequestHead, UnfitError, parse_request_head
from broker.gateway.run_report import RunReport
from broker.gateway.upstream import UnreachableError, Upstream

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
LOGIN_NEEDED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n%s: %s\r\ncontent-length: 0\r\n\r\n" % CHALLENGE
)
"""The connection stays: libcurl asks for the kind of login first, as git has it do."""


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What all connections of a gateway share."""

    admission: Admission
    authority: RunAuthority
    rules: HostRules
    upstream: Upstream
    injector: Injector
    report: RunReport
    deadlines: Deadlines


class Session:
    """A client's connection, from its first byte to its end."""

    def __init__(self, client: Channel, parts: GatewayParts) -> None:
        self._client = client
        self._parts = parts
        self._inbox = Inbox(client)

    async def serve(self) -> None:
        """Answer until either side ends it. Closes the client's connection."""
        exchanger = self._exchanger(self._client, self._inbox)
        try:
            with contextlib.suppress(OSError, TimeoutError):  # whoever breaks off has the right to
                while (found := await self._next(self._client, self._inbox)) is not None:
                    if not await self._answer(*found, exchanger):
                        return
        finally:
            exchanger.close()
            self._client.close()

    async def _next(self, client: Channel, inbox: Inbox) -> tuple[bytes, RequestHead] | None:
        """The next request's head; None at the end, and where what came was none and the client was told."""
        deadlines = self._parts.deadlines
        try:
            raw = await inbox.head(idle_s=deadlines.idle_s, head_s=deadlines.head_s)
            return None if raw is None else (raw, parse_request_head(raw))
        except TooLargeError:
            await refuse(client, 431, "the request's head is too large")
        except UnfitError as error:
            await refuse(client, error.status, error.reason)
        return None

    async def _answer(self, raw: bytes, request: RequestHead, exchanger: Exchanger) -> bool:
        if not self._parts.admission.admits(request):
            if request.has_body:
                await refuse(self._client, 407, "the gateway's password is missing", CHALLENGE)
                return False
            await self._client.send(LOGIN_NEEDED)
            return request.is_http_1_1
        try:
            if request.method == "CONNECT":
                await self._connect(request)
                return False
            return await exchanger.answer(raw, request, self._allowed(plain_destination(request)))
        except UnfitError as error:
            await refuse(self._client, error.status, error.reason)
            return False

    async def _connect(self, request: RequestHead) -> None:
        endpoint = parse_endpoint(request.target)
        named = endpoint if not request.host else parse_endpoint(request.host, endpoint and endpoint.port)
        if endpoint is None or named != endpoint or request.has_body:
            raise UnfitError(400, "CONNECT names no host and port, or not those of its Host")
        if self._parts.rules.is_feed(endpoint):
            self._client.put_back(self._inbox.taken())
            await self._client.send(ESTABLISHED)
            await self._serve_feed(endpoint)
        else:
            self._check_allowed(endpoint)
            await self._tunnel(endpoint)

    def _allowed(self, to: Destination) -> Destination:
        self._check_allowed(to.endpoint)
        return to

    def _check_allowed(self, endpoint: Endpoint) -> None:
        if not self._parts.rules.is_feed(endpoint) and not self._parts.rules.may_reach(endpoint):
            self._parts.report.refused(str(endpoint))
            raise UnfitError(403, f"{endpoint} is no feed, and not allowed")

    async def _tunnel(self, endpoint: Endpoint) -> None:
        try:
            there = await self._parts.upstream.tunnel(endpoint)
        except UnreachableError as error:
            raise UnfitError(502, str(error)) from None
        try:
            self._client.put_back(self._inbox.taken())
            await self._client.send(ESTABLISHED)
            await join(self._client, there, self._parts.deadlines.tunnel_s)
        finally:
            there.close()

    async def _serve_feed(self, endpoint: Endpoint) -> None:
        """The host's part in the client's TLS, and its requests. Which host: CONNECT, SNI and Host agree."""
        try:
            async with asyncio.timeout(self._parts.deadlines.head_s):
                client = await accept_tls(self._client, self._parts.authority.server_context(endpoint.host))
        except ssl.SSLError:
            return  # it does not trust this authority, or asked for another host
        inbox = Inbox(client)
        exchanger = self._exchanger(client, inbox)
        try:
            while (found := await self._next(client, inbox)) is not None:
                try:
                    to = feed_destination(found[1], endpoint)
                except UnfitError as error:
                    await refuse(client, error.status, error.reason)
                    return
                if not await exchanger.answer(*found, to):
                    await client.end()
                    return
            await client.end()
        finally:
            exchanger.close()

    def _exchanger(self, client: Channel, inbox: Inbox) -> Exchanger:
        parts = self._parts
        return Exchanger(client, inbox, parts.upstream, parts.injector, parts.deadlines)


async def join(one: Channel, other: Channel, idle_s: float) -> None:
    """Hand on what comes from either to the other until both have ended, or nothing came for `idle_s`."""
    loop = asyncio.get_running_loop()

    async def hand_on(giver: Channel, taker: Channel) -> None:
        while piece := await giver.receive():
            limit.reschedule(loop.time() + idle_s)
            await taker.send(piece)
        await taker.end()

    tasks = []
    try:
        async with asyncio.timeout(idle_s) as limit:
            tasks = [asyncio.create_task(hand_on(one, other)), asyncio.create_task(hand_on(other, one))]
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
