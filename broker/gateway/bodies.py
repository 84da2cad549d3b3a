"""Bodies of requests and answers, piece by piece: however long one is, no more than a piece of it is held.

`stall_s` is how long any piece may take. All raise TimeoutError, and OSError where the sender breaks off.
"""

from collections.abc import AsyncIterator

import h11

from broker.gateway.channel import PIECE_BYTES
from broker.gateway.inbox import Inbox


async def of_length(inbox: Inbox, length: int, stall_s: float) -> AsyncIterator[bytes]:
    """So many bytes."""
    while length:
        piece = await _more(inbox, min(length, PIECE_BYTES), stall_s)
        length -= len(piece)
        yield piece


async def until_end(inbox: Inbox, stall_s: float) -> AsyncIterator[bytes]:
    """All that comes before the connection's end."""
    while piece := await inbox.some(PIECE_BYTES, stall_s):
        yield piece


async def unchunked(talk: h11.Connection, inbox: Inbox, stall_s: float) -> AsyncIterator[bytes]:
    """A chunked body without its framing, as `talk` reads it; what follows it goes back to the inbox.

    Raises ConnectionError for what is none.
    """
    while True:
        try:
            event = talk.next_event()
        except h11.RemoteProtocolError:
            raise ConnectionError("a body is not chunked") from None
        if isinstance(event, h11.Data):
            yield bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            inbox.put_back(talk.trailing_data[0])
            return
        else:
            talk.receive_data(await _more(inbox, PIECE_BYTES, stall_s))


async def framed(talk: h11.Connection, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces as the client's version of HTTP has a body without a length."""
    async for piece in pieces:
        yield talk.send(h11.Data(data=piece)) or b""
    yield talk.send(h11.EndOfMessage()) or b""


async def _more(inbox: Inbox, most: int, stall_s: float) -> bytes:
    piece = await inbox.some(most, stall_s)
    if not piece:
        raise ConnectionError("a body ended too early")
    return piece
