"""The gateway's answers in its own name, which end the conversation with a client."""

import asyncio
import contextlib
from http import HTTPStatus

from broker.gateway.channel import Channel

LINGER_S = 1.0
"""How long a client may go on sending what was refused, so that it reads why (RFC 9112 section 9.6)."""

REASON_CHARACTERS_MAX = 300


async def refuse(
    client: Channel, status: int, reason: str, *fields: tuple[bytes, bytes], is_head: bool = False
) -> None:
    """Say why, and end the conversation. The status line has the reason, too: pip shows that and no body.
    Raises OSError.
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
        async with asyncio.timeout(LINGER_S):
            await client.send(b"\r\n".join(head) + b"\r\n\r\n" + (b"" if is_head else body))
            await client.end()
            while await client.receive():
                pass
