"""A transport that sends at once what one turn of the loop wrote: headers and body of an answer together.

uvicorn writes them apart (0.54). A daemon that is killed between the two would leave half an answer, which a
client cannot tell from a broken broker; a whole one outlives its sender in the kernel's buffer.
"""

import asyncio
from typing import Any


class CoalescingTransport:
    """Stands for `transport` with a protocol that writes an answer in pieces."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        """Send this at the end of the loop's turn, behind what was written before."""
        if not self._pieces and piece:
            self._loop.call_soon(self._send)
        if piece:
            self._pieces.append(piece)

    def close(self) -> None:
        """Send what was written, and close."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """Hang up, whatever was written."""
        self._pieces.clear()
        self._transport.abort()

    def _send(self) -> None:
        if self._pieces:
            whole = b"".join(self._pieces)
            self._pieces.clear()
            self._transport.write(whole)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the transport's
        return getattr(self._transport, name)
