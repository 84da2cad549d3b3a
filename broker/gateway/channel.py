"""Byte channels: a connected socket, and TLS on top of any channel. Pulled, so that memory stays bounded.

Nothing is read before somebody asks for it, and `send` returns when the bytes are with the kernel: a slow
reader slows its writer, and no more than one piece is held for each direction. Knows no HTTP.
"""

import asyncio
import contextlib
import socket
import ssl
from typing import Protocol

PIECE_BYTES = 262144
"""Read at once: fewer turns of the loop for a large file. Measured: 64 KiB costs a fifth of the speed."""

RECORD_BYTES = 16384
"""The most that one TLS record carries (RFC 8446 section 5.1)."""


class CutOffError(ConnectionError):
    """TLS ended without saying so: what came may be less than what was sent."""


class Channel(Protocol):
    """Bytes both ways. One task reads at a time; sending is serialised."""

    async def receive(self) -> bytes:
        """The next bytes; empty at the end. Raises OSError."""
        ...

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it. Raises OSError."""
        ...

    def put_back(self, content: bytes) -> None:
        """Have `content` received first, once more."""
        ...

    def is_quiet(self) -> bool:
        """Whether nothing has come that was not received, the end included."""
        ...

    async def end(self) -> None:
        """Say that nothing more will be sent."""
        ...

    def close(self) -> None:
        """Let go of the connection, whatever is under way."""
        ...


class SocketChannel:
    """A connected socket, which becomes the channel's to close."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        with contextlib.suppress(OSError):  # a Unix socket has none
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()

    async def receive(self) -> bytes:
        """The next bytes; empty at the end."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        try:
            return self._socket.recv(PIECE_BYTES)
        except BlockingIOError:
            return await self._loop.sock_recv(self._socket, PIECE_BYTES)

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        async with self._sending:
            await self._loop.sock_sendall(self._socket, content)

    def put_back(self, content: bytes) -> None:
        """Have `content` received first, once more."""
        self._rest = content + self._rest

    def is_quiet(self) -> bool:
        """Whether nothing has come that was not received, the end included."""
        if self._rest:
            return False
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    async def end(self) -> None:
        """Half-close."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close. A task that waits on it must be cancelled by its owner."""
        self._socket.close()


class TlsChannel:
    """TLS on a channel, after a handshake: made by `accept_tls` and `start_tls`."""

    def __init__(self, lower: Channel, context: ssl.SSLContext, *, is_server: bool, host: str | None) -> None:
        self._lower = lower
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, is_server, host)
        self._sending = asyncio.Lock()
        self._rest = b""
        self._buffer = memoryview(bytearray(PIECE_BYTES + RECORD_BYTES))

    async def handshake(self) -> None:
        """Raises ssl.SSLError, or OSError when the other end leaves."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    await self._flush()  # the alert that says why
                raise
            else:
                await self._flush()
                return

    async def receive(self) -> bytes:
        """The next bytes; empty after a proper end of TLS. Raises CutOffError after another one."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        while True:
            count, is_end = self._decrypted()
            if self._outgoing.pending:
                await self._flush()
            if count or is_end:
                return bytes(self._buffer[:count])
            await self._feed()

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        rest = memoryview(content)
        while rest:
            async with self._sending:
                piece, rest = rest[:PIECE_BYTES], rest[PIECE_BYTES:]
                while piece:
                    piece = piece[self._tls.write(piece) :]
                await self._lower.send(self._outgoing.read())

    def put_back(self, content: bytes) -> None:
        """Have `content` received first, once more."""
        self._rest = content + self._rest

    def is_quiet(self) -> bool:
        """Whether nothing has come that was not received, the end included."""
        return not self._rest and not self._incoming.pending and self._lower.is_quiet()

    async def end(self) -> None:
        """Say the end of TLS, as far as the other end still listens, and half-close."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            await self._flush()
        await self._lower.end()

    def close(self) -> None:
        """Close without a word."""
        self._lower.close()

    def _decrypted(self) -> tuple[int, bool]:
        """How many bytes are in the buffer now, and whether TLS has ended properly."""
        count = 0
        try:
            while count < PIECE_BYTES:
                got = self._tls.read(PIECE_BYTES + RECORD_BYTES - count, self._buffer[count:])
                if not got:
                    return count, True
                count += int(got)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            return count, True
        except ssl.SSLEOFError:
            if not count:
                raise CutOffError("the connection ended inside TLS") from None
        return count, False

    async def _feed(self) -> None:
        received = await self._lower.receive()
        if received:
            self._incoming.write(received)
        elif not self._incoming.eof:
            self._incoming.write_eof()
        else:
            raise CutOffError("the connection ended inside TLS")

    async def _flush(self) -> None:
        async with self._sending:
            if self._outgoing.pending:
                await self._lower.send(self._outgoing.read())


async def accept_tls(lower: Channel, context: ssl.SSLContext) -> TlsChannel:
    """TLS as the server. Raises ssl.SSLError or OSError."""
    made = TlsChannel(lower, context, is_server=True, host=None)
    await made.handshake()
    return made


async def start_tls(lower: Channel, context: ssl.SSLContext, host: str) -> TlsChannel:
    """TLS as the client, with a server that must be `host`. Raises ssl.SSLError or OSError."""
    made = TlsChannel(lower, context, is_server=False, host=host)
    await made.handshake()
    return made
