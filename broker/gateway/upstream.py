"""Connections to other hosts, through the proxies that were set before; TLS that is ours is verified."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Iterator

import h11

from broker.gateway.channel import Channel, SocketChannel, start_tls
from broker.gateway.deadlines import Deadlines
from broker.gateway.host_rules import Endpoint
from broker.gateway.idle_lines import IdleLines
from broker.gateway.inbox import Inbox, TooLargeError
from broker.gateway.upstream_proxy import ProxyChoice, UpstreamProxy
from broker.host.http_errors import no_connection

OK = range(200, 300)


class UnreachableError(Exception):
    """No connection; the message says to whom and why, and nothing that came from there."""


class Upstream:
    """Connects. `authorities` are those that the hosts' certificates must come from."""

    def __init__(self, proxies: ProxyChoice, authorities: ssl.SSLContext, deadlines: Deadlines) -> None:
        authorities.set_alpn_protocols(["http/1.1"])
        self.idle = IdleLines()
        """Connections that `secure` has made."""
        self._proxies = proxies
        self._authorities = authorities
        self._deadlines = deadlines

    def lead_to(self, endpoint: Endpoint) -> UpstreamProxy | None:
        """The proxy for plain HTTP to this host."""
        return self._proxies.lead_to("http", endpoint)

    async def tunnel(self, endpoint: Endpoint) -> Channel:
        """A connection for any protocol. Raises UnreachableError."""
        return await self._guarded(self._reach(endpoint, self._proxies.lead_to("https", endpoint)), endpoint)

    async def secure(self, endpoint: Endpoint) -> Channel:
        """A connection with TLS to a host that has proved its name. Raises UnreachableError."""
        return await self._guarded(self._secure(endpoint), endpoint)

    async def plain(self, endpoint: Endpoint) -> Channel:
        """A connection for plain HTTP: to the host, or to the proxy that leads there. Raises
        UnreachableError.
        """
        proxy = self.lead_to(endpoint)
        return await self._guarded(self._dial(endpoint) if proxy is None else self._call(proxy), endpoint)

    async def _guarded(self, connecting: Awaitable[Channel], endpoint: Endpoint) -> Channel:
        try:
            async with asyncio.timeout(self._deadlines.connect_s):
                with _naming(str(endpoint)):
                    return await connecting
        except TimeoutError:
            raise UnreachableError(
                f"{endpoint} did not answer within {self._deadlines.connect_s:g} s"
            ) from None

    async def _secure(self, endpoint: Endpoint) -> Channel:
        channel = await self._reach(endpoint, self._proxies.lead_to("https", endpoint))
        try:
            return await start_tls(channel, self._authorities, endpoint.host)
        except BaseException:
            channel.close()
            raise

    async def _reach(self, endpoint: Endpoint, proxy: UpstreamProxy | None) -> Channel:
        if proxy is None:
            return await self._dial(endpoint)
        channel = await self._call(proxy)
        try:
            with _naming(f"the proxy {proxy.endpoint}"):
                await _connect(channel, endpoint, proxy)
        except BaseException:
            channel.close()
            raise
        return channel

    async def _call(self, proxy: UpstreamProxy) -> Channel:
        with _naming(f"the proxy {proxy.endpoint}"):
            channel: Channel = await self._dial(proxy.endpoint)
            if not proxy.is_tls:
                return channel
            try:
                return await start_tls(channel, self._authorities, proxy.endpoint.host)
            except BaseException:
                channel.close()
                raise

    async def _dial(self, endpoint: Endpoint) -> SocketChannel:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        failure: OSError = OSError(0, "no address")
        for family, kind, protocol, _, address in found:
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(0)
            try:
                await loop.sock_connect(connection, address)
            except OSError as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
            else:
                return SocketChannel(connection)
        raise failure


@contextlib.contextmanager
def _naming(who: str) -> Iterator[None]:
    """Within this block, a connection that does not come about is an UnreachableError of `who`."""
    try:
        yield
    except TimeoutError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(f"{who} is not who it says: {error.verify_message}") from None
    except ssl.SSLError:
        raise UnreachableError(f"{who} does not agree on TLS") from None
    except OSError as error:
        raise UnreachableError(f"{who}: {no_connection(error)}") from None


async def _connect(channel: Channel, endpoint: Endpoint, proxy: UpstreamProxy) -> None:
    """Have the proxy lead the channel to the host. Raises UnreachableError, OSError."""
    talk = h11.Connection(h11.CLIENT)
    fields = [(b"Host", str(endpoint).encode("ascii"))]
    if proxy.authorization is not None:
        fields.append((b"Proxy-Authorization", proxy.authorization))
    sent = talk.send(h11.Request(method="CONNECT", target=str(endpoint), headers=fields))
    await channel.send(sent or b"")
    inbox = Inbox(channel)
    with contextlib.suppress(TooLargeError, h11.RemoteProtocolError):
        while (head := await inbox.head(idle_s=None, head_s=None)) is not None:  # the caller's limit counts
            talk.receive_data(head)
            answer = talk.next_event()
            if isinstance(answer, h11.Response):
                if answer.status_code in OK:
                    channel.put_back(inbox.taken())  # a server may speak first
                    return
                raise UnreachableError(
                    f"the proxy {proxy.endpoint} answered {answer.status_code} for {endpoint}"
                )
    raise UnreachableError(f"the proxy {proxy.endpoint} gave no answer for {endpoint}")
