"""A streamed answer that lasts, in a place among the connections, or the refusal where none is free."""

from collections.abc import AsyncIterator, Callable

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from broker.api.problems import answer_to, wants_text
from broker.core.access import LONG_ANSWERS_EXTENSION, PEER_EXTENSION
from broker.core.failures import Unavailable

RETRY_AFTER_S = 5.0
"""A listener that ends makes room; what the events tell can be read from the status meanwhile."""


class LongAnswer(StreamingResponse):
    """`parts` as they come, each one text. Sends 503 and reads nothing of them where no place is free."""

    def __init__(self, parts: AsyncIterator[str], media_type: str) -> None:
        super().__init__(parts, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and give the place back whichever way that ends."""
        extensions = scope["extensions"]
        places = extensions.get(LONG_ANSWERS_EXTENSION)
        end: Callable[[], None] | None = (
            (lambda: None) if places is None else places.begin(extensions[PEER_EXTENSION]["uid"])
        )
        if end is None:
            failure = Unavailable(
                "as many events, explanations and sign-ins are open as there is room for: end one first",
                hint="brokerctl status",
                retry_after_s=RETRY_AFTER_S,
            )
            await answer_to(failure, text=wants_text(scope["headers"])).send(send)
            return
        try:
            await super().__call__(scope, receive, send)
        finally:
            end()
