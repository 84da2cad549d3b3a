"""One outgoing HTTP for every provider: one attempt, one deadline, a bounded answer, no redirects or cookies.

Proxies and certificate authorities are those of the daemon's own environment, as every client has them, but
for what is asked past proxies (`core.urls.heeds_proxies`). What goes wrong is an Unreachable with one line to
show; it never holds a secret, a body or a URL. Nothing heavy is imported before the first request, and then
in a thread, so that the loop goes on answering.
"""

import asyncio
import logging
import ssl
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from broker.core.urls import heeds_proxies
from broker.host.aside import in_thread
from broker.host.authorities import UnreadableAuthoritiesError, trusting_context
from broker.host.http_errors import Route, Unreachable

if TYPE_CHECKING:
    from types import TracebackType

    import httpx

DEADLINE_S = 10.0
BODY_BYTES = 65536
"""Tokens and challenges are a few kB."""

GLANCE_S = 1.0
GLANCE_BYTES = 16384
"""Why a service refuses is a line, which comes with the headers."""

CONNECTIONS_MAX = 64
"""At once; the surplus waits within its own deadline."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. The URL carries no userinfo; headers and body may hold secrets and do not print."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are lower case, in order and not folded; headers and body do not print.

    `reason` are the words of the status line.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    reason: str = field(default="", repr=False)

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of the header of this lower-case name, in order."""
        return tuple(value for header, value in self.headers if header == name)


class Http:
    """Sends requests; close it with `aclose` or `async with`. It belongs to one event loop.

    `ca`: a PEM file that is trusted instead of the system's authorities, or None. The environment is read at
    the first request: make a new Http when it has changed.
    """

    def __init__(self, ca: Path | None = None) -> None:
        self.ca = ca
        self._opening = asyncio.Lock()
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)  # the pool's own line costs each request all others
        self._clients: dict[bool, httpx.AsyncClient] = {}  # by `heeds_proxies`

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of every connection."""
        async with self._opening:
            while self._clients:
                _, client = self._clients.popitem()
                await client.aclose()

    async def renew_trust(self) -> None:
        """Read the trusted authorities again; keeps the former ones where that raises Unreachable."""
        route = Route("https", "any service", None)
        async with self._opening:
            if self._clients:
                context = await in_thread(lambda: _trust(self.ca, route))
                self._clients = await in_thread(lambda: _make_clients(context))

    async def send(
        self,
        request: Request,
        *,
        deadline_s: float = DEADLINE_S,
        body_bytes: int = BODY_BYTES,
        head_only: bool = False,
        glance_at: Collection[int] = (),
    ) -> Response:
        """Send once and return the answer, whatever its status; `head_only` hangs up after the headers, but
        that of the statuses `glance_at` some of the body is read, if it comes at once.

        The deadline counts from the moment at which the client is ready. Raises Unreachable when there is
        no answer within it, or one with more than `body_bytes`.
        """
        route = _route_to(request.url)
        try:
            client = await self._open(route)  # its imports are no answer that somebody is late with
            async with asyncio.timeout(deadline_s), self._room:
                return await _exchange(client, request, route, None if head_only else body_bytes, glance_at)
        except TimeoutError:
            raise route.too_late(deadline_s) from None

    async def _open(self, route: Route) -> "httpx.AsyncClient":
        async with self._opening:
            if not self._clients:
                context = await in_thread(lambda: _trust(self.ca, route))
                try:
                    self._clients = await in_thread(lambda: _make_clients(context))
                except (ValueError, ImportError):
                    why = "a proxy variable (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY) cannot be used"
                    raise Unreachable(f"{route.host} is not asked: {why}", "proxy", route.host) from None
            return self._clients[heeds_proxies(route.host)]


def _route_to(url: str) -> Route:
    """Raises Unreachable for what is no URL, or one with userinfo: some come from the environment."""
    try:
        address = urlsplit(url)
        if "@" not in address.netloc:
            return Route(address.scheme, address.hostname or "", address.port)
    except ValueError:
        pass
    raise Unreachable(
        "no request was sent: the address is not a URL without userinfo", "broken", ""
    ) from None


async def _exchange(
    client: "httpx.AsyncClient",
    request: Request,
    route: Route,
    body_bytes: int | None,
    glance_at: Collection[int],
) -> Response:
    """The answer to the request; None for `body_bytes` leaves the body unread, but for a glance."""
    import httpx  # noqa: PLC0415 - loaded by _make_clients

    try:
        async with client.stream(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            extensions={"trace": route.follow},
        ) as answer:
            headers = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in answer.headers.raw
            )
            if body_bytes is not None:
                body = await _body(answer, route, body_bytes)
            else:
                body = await _glance(answer) if answer.status_code in glance_at else b""
            return Response(answer.status_code, headers, body, answer.reason_phrase)
    # the errors quote headers and URLs: none is chained to what is raised
    except httpx.ProxyError as error:
        raise route.refused_by_proxy(str(error)) from None
    # UnicodeError: a header beyond ASCII, a host that IDNA does not know
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError):
        raise route.broken("cannot be asked: the request is not HTTP") from None
    except httpx.HTTPError as error:
        raise route.failed(error) from None


async def _body(answer: "httpx.Response", route: Route, body_bytes: int) -> bytes:
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        # unpacked it could be a thousand times as large
        raise route.broken("packed its answer, which it was not asked to do")
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > body_bytes:
            raise route.broken(f"answered with more than {body_bytes:,} bytes")
    return bytes(body)


async def _glance(answer: "httpx.Response") -> bytes:
    """What comes of the body within GLANCE_S, up to GLANCE_BYTES: the answer is good without it."""
    import httpx  # noqa: PLC0415 - loaded by _make_clients

    body = bytearray()
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(GLANCE_S):
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) >= GLANCE_BYTES:
                    break
    return bytes(body[:GLANCE_BYTES])


def _trust(ca: Path | None, route: Route) -> ssl.SSLContext:
    try:
        return trusting_context(ca)
    except UnreadableAuthoritiesError as error:
        raise Unreachable(f"{route.host} is not asked: {error}", "tls", route.host) from error


def _make_clients(context: ssl.SSLContext) -> "dict[bool, httpx.AsyncClient]":
    """By `heeds_proxies`. Raises ValueError or ImportError for variables that cannot be used."""
    from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - 10 ms
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms

    # httpx brings a command line of its own, if it can: 3 MB of rich and pygments for nothing here
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # None: cannot be imported (PEP 328)
    if find_spec("sniffio") is None:  # httpcore looks for it on the disk at each of its locks otherwise
        sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # as above
    import httpx  # noqa: PLC0415 - 100 ms

    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] in {"httpx", "httpcore"}:
            # they log URLs and header values; disabled, no level and no handler brings them back
            logging.getLogger(name).disabled = True
    try:
        ours = version("token-broker")
    except PackageNotFoundError:
        ours = "unknown"
    try:
        return {
            heeding: httpx.AsyncClient(
                verify=context,
                trust_env=heeding,  # with the authorities given it says no more than that
                headers={"User-Agent": f"token-broker/{ours}", "Accept-Encoding": "identity"},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                timeout=None,  # noqa: S113 - the deadline is of the whole
                # a connection kept is one that the service may have dropped: the next renewal is minutes away
                limits=httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=0),
            )
            for heeding in (False, True)
        }
    except httpx.InvalidURL:
        raise ValueError("not a proxy's address") from None
