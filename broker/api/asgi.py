"""The API as the socket serves it: a front that guards and answers look-ups, and FastAPI for all the rest.

FastAPI is loaded by the first request that is not a look-up and does more than look at the status: it is half
of a daemon's start and memory.
"""

import asyncio
from typing import Any

from broker.api.backend import Backend
from broker.api.lookup import answer_in_time, lookup_request_of
from broker.api.principal import Scope
from broker.api.problems import answer_to, wants_text
from broker.api.status_answer import ALIVE, status_answer
from broker.core.failures import BadRequest, Failure, NotAllowed, Unavailable
from broker.core.shortage import shortage_of

HOSTS = frozenset({b"broker", b"localhost"})
"""A browser that was led here by DNS rebinding names the attacker's host."""

BROWSER_HEADERS = (b"origin", b"referer", b"x-forwarded-for")
BROWSER_PREFIX = b"sec-fetch-"


class AsgiApp:
    """Refuses browsers, answers well-formed look-ups itself, and leaves the rest to FastAPI."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._rest: asyncio.Future[Any] | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        """Answer one request."""
        if scope["type"] == "http":
            failure = _objection(scope["headers"])
            if failure is not None:
                await answer_to(failure, text=wants_text(scope["headers"])).send(send)
                return
            if scope["path"] == "/v1/credential" and scope["method"] == "GET":
                question = lookup_request_of(scope["query_string"])
                if question is not None:
                    answer = await answer_in_time(self._backend, question, scope)
                    await answer.send(send)
                    return
            if scope["path"] == "/v1/health" and scope["method"] == "GET":
                await ALIVE.send(send)
                return
            if scope["path"] == "/v1/status" and scope["method"] == "GET":
                await (await status_answer(self._backend, scope)).send(send)
                return
        if self._rest is None:
            # in a thread: look-ups do not wait for it
            self._rest = asyncio.ensure_future(asyncio.to_thread(_routes, self._backend))
        try:
            rest = await asyncio.shield(self._rest)
        except Exception as error:
            self._rest = None  # the next request tries again
            shortage = shortage_of(error)
            if shortage is None:
                raise
            failure = Unavailable(f"the broker cannot answer this for now: {shortage}")
            await answer_to(failure, text=wants_text(scope["headers"])).send(send)
            return
        await rest(scope, receive, send)


def _routes(backend: Backend) -> Any:  # noqa: ANN401 - FastAPI's app, whose type is not loaded here
    from broker.api.fastapi_app import create_app  # noqa: PLC0415 - see the module's first lines

    return create_app(backend)


def _objection(headers: list[tuple[bytes, bytes]]) -> Failure | None:
    # in either case: RFC 9110 section 4.2.3
    hosts = [value.partition(b":")[0].lower() for name, value in headers if name == b"host"]
    if len(hosts) != 1 or hosts[0] not in HOSTS:
        return BadRequest("the Host header must be broker or localhost")
    for name, _ in headers:
        if name in BROWSER_HEADERS or name.startswith(BROWSER_PREFIX):
            return NotAllowed(f"no browser may ask: requests with {name.decode('latin-1')} are refused")
    return None
