"""The routes that only look: status, events, metrics, health."""

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.types import Scope

from broker.api.backend import Backend, backend_of, feed_status_of
from broker.api.long_answer import LongAnswer
from broker.api.openapi import Events
from broker.api.principal import principal_of
from broker.api.response import json_answer
from broker.api.status_answer import ALIVE, status_answer
from broker.core.access import may_see, refusal_of_log
from broker.core.failures import Failure
from broker.core.feeds import Feed
from broker.core.status import to_json

HEARTBEAT_S = 15.0
"""A comment line this often keeps a silent stream from looking dead."""

EVENTS_WAITING_MAX = 256
"""A reader that falls this far behind is cut off: it can read the status and begin again."""

router = APIRouter()


@router.get("/v1/status")
async def status(request: Request) -> Response:
    """Everything this person may want to know; no secrets."""
    return (await status_answer(backend_of(request), request.scope)).response()


@router.get("/v1/health")
async def health() -> Response:
    """200 when the event loop is alive."""
    return ALIVE.response()


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counts and ages in Prometheus' text format."""
    from broker.api.metrics import rendered  # noqa: PLC0415 - see there

    backend = backend_of(request)
    principal = await principal_of(backend, request.scope)
    body, content_type = rendered(backend, principal)
    return Response(body, media_type=content_type)


@router.get("/v1/logs")
async def logs(request: Request, after: int = 0) -> Response:
    """The daemon's last lines that came after line number `after`, for its owner; no secrets."""
    backend = backend_of(request)
    refusal = refusal_of_log(await principal_of(backend, request.scope))
    if refusal is not None:
        raise refusal
    lines, last = backend.log_buffer.after(after)
    return json_answer({"lines": lines, "last": last}).response()


@router.get("/v1/events", response_class=Events)
async def events(request: Request) -> Response:
    """Server-sent events: one `feed` event for each change of a feed's state, its status as data."""
    backend = backend_of(request)
    await principal_of(backend, request.scope)
    return LongAnswer(_changes(backend, request.scope), "text/event-stream")


async def _changes(backend: Backend, scope: Scope) -> AsyncIterator[str]:
    changed: asyncio.Queue[Feed] = asyncio.Queue(EVENTS_WAITING_MAX)
    overrun = asyncio.Event()

    def listener(feed: Feed) -> None:
        try:
            changed.put_nowait(feed)
        except asyncio.QueueFull:
            overrun.set()

    unsubscribe = backend.keeper.news.subscribe(listener)
    closing = asyncio.ensure_future(backend.closing())
    try:
        yield ": listening\n\n"
        while not overrun.is_set() and not closing.done():
            change = asyncio.ensure_future(changed.get())
            await asyncio.wait({change, closing}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            feed = change.result() if change.done() else None
            change.cancel()
            if feed is None and closing.done():
                return
            try:
                principal = await principal_of(backend, scope)
            except Failure:
                return  # what this caller may do has changed meanwhile: a new request tells
            if feed is None:
                yield ": still here\n\n"
            elif may_see(principal, feed):
                data = json.dumps(to_json(feed_status_of(backend, feed)))
                yield f"event: feed\ndata: {data}\n\n"
    finally:
        unsubscribe()
        closing.cancel()
