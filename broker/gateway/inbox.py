"""What a channel has received and is not used yet: heads are taken whole, bodies piece by piece."""

import asyncio

from broker.gateway.channel import Channel
from broker.gateway.request_head import END, HEAD_BYTES


class TooLargeError(Exception):
    """A head is longer than HEAD_BYTES."""


class Inbox:
    """Reads from a channel, for one task at a time."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._rest = b""

    async def head(self, *, idle_s: float | None, head_s: float | None) -> bytes | None:
        """A message's head with its empty line, or None where the other end is done before it began.

        Raises TimeoutError, TooLargeError, ConnectionError where it ended inside the head, other OSErrors.
        """
        if not self._rest:
            async with asyncio.timeout(idle_s):
                self._rest = await self._channel.receive()
            if not self._rest:
                return None
        received = bytearray(self._rest)
        async with asyncio.timeout(head_s):
            while (end := received.find(END)) < 0:
                if len(received) > HEAD_BYTES:
                    raise TooLargeError
                more = await self._channel.receive()
                if not more:
                    raise ConnectionError("the connection ended inside a head")
                received += more
        if end > HEAD_BYTES:
            raise TooLargeError
        end += len(END)
        self._rest = bytes(received[end:])
        return bytes(received[:end])

    async def some(self, most: int, stall_s: float) -> bytes:
        """The next bytes, `most` at most; empty at the end. Raises TimeoutError, OSError."""
        if not self._rest:
            async with asyncio.timeout(stall_s):
                self._rest = await self._channel.receive()
        if len(self._rest) <= most:
            taken, self._rest = self._rest, b""
        else:
            taken, self._rest = self._rest[:most], self._rest[most:]
        return taken

    def put_back(self, content: bytes) -> None:
        """What was taken and belongs to the next message."""
        self._rest = content + self._rest

    def taken(self) -> bytes:
        """All that is left here, for who goes on with the channel itself."""
        rest, self._rest = self._rest, b""
        return rest
