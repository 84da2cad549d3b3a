"""The routes of an interactive sign-in and of its end: JSON lines, from the page to open to the feeds ready.

No secret is in any line: a device code is for the person who reads it; only the daemon gets the token.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from broker.api.backend import Backend, backend_of, feed_status_of
from broker.api.long_answer import LongAnswer
from broker.api.openapi import Lines
from broker.api.principal import feed_for_action
from broker.api.problems import problem
from broker.core.access import Action
from broker.core.failures import BadRequest, Failure, Unavailable
from broker.core.feeds import Feed
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn
from broker.core.problem import problem_type
from broker.core.status import FeedStatus, rfc3339

router = APIRouter()

WaysQuery = Annotated[str, Query(description="how, the first that the feed allows: device-code, browser")]
FileQuery = Annotated[bool, Query(description="without a secret store keep it in a file, in plain text")]


@router.post("/v1/feeds/{name}/login", response_class=Lines)
async def login(
    request: Request, name: str, ways: WaysQuery = LoginMethod.DEVICE_CODE, in_file: FileQuery = False
) -> Response:
    """Sign a person in: lines `page`, `signed-in`, a `feed` for each of the realm; or `failed` at any point.

    Ending the request gives the sign-in up.
    """
    backend = backend_of(request)
    try:
        feed = await feed_for_action(request, Action.LOGIN, name)
        steps = backend.sign_in(feed, _ways(ways), in_file=in_file)
    except Failure as failure:
        return problem(failure, text=False, feed=name)
    return LongAnswer(_told(backend, feed, steps), "application/jsonl")


@router.post("/v1/feeds/{name}/logout", response_class=Lines)
async def logout(request: Request, name: str) -> Response:
    """Drop the realm's tokens, and the sign-in of ours behind them; answers what remains all the same."""
    backend = backend_of(request)
    try:
        feed = await feed_for_action(request, Action.LOGOUT, name)
        backend.keeper.forget_realm(feed.realm)
        ended = await backend.sign_out(feed)
        backend.keeper.forget_realm(feed.realm)  # of look-ups that came before the sign-in had ended
    except Failure as failure:
        return problem(failure, text=False, feed=name)
    line = _line({"step": "signed-out", "account": ended.account, "remains": ended.remains})
    return Response(line, media_type="application/jsonl")


async def _told(
    backend: Backend, feed: Feed, steps: AsyncGenerator[LoginPage | SignedIn, None]
) -> AsyncIterator[str]:
    """The steps as they come; the daemon's end is one of them."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    walking = asyncio.create_task(_walk(backend, feed, steps, lines))
    walking.add_done_callback(lambda _: lines.put_nowait(None))
    closing = asyncio.ensure_future(backend.closing())
    closing.add_done_callback(lambda _: lines.put_nowait(None))
    try:
        while (line := await lines.get()) is not None:
            yield line
        if not walking.done():
            yield _failed(Unavailable("the broker ends before anybody has signed in", hint="brokerctl start"))
        else:
            walking.result()
    finally:
        closing.cancel()
        walking.cancel()


async def _walk(
    backend: Backend,
    feed: Feed,
    steps: AsyncGenerator[LoginPage | SignedIn, None],
    lines: asyncio.Queue[str | None],
) -> None:
    try:
        async with aclosing(steps) as told:
            async for step in told:
                lines.put_nowait(_line(_facts(step)))
    except Failure as failure:
        lines.put_nowait(_failed(failure))
        return
    await backend.keeper.renew_realm(feed.realm)
    for each in backend.keeper.slot_table.feeds():
        if each.realm == feed.realm:
            status = feed_status_of(backend, each)
            lines.put_nowait(_line({"step": "feed", "feed": each.name, **_outcome(status)}))


def _facts(step: LoginPage | SignedIn) -> dict[str, object]:
    match step:
        case LoginPage(url, code, expires_at):
            return {"step": "page", "url": url, "code": code, "expires_at": rfc3339(expires_at)}
        case SignedIn(account, kept):
            return {"step": "signed-in", "account": account, "kept": kept}


def _outcome(status: FeedStatus) -> dict[str, object]:
    return {
        "usable": status.usable,
        "state": status.state,
        "detail": status.error,
        "hint": status.hint,
    }


def _failed(failure: Failure) -> str:
    facts = {"type": problem_type(failure).slug, "detail": failure.detail, "hint": failure.hint}
    return _line({"step": "failed", **facts})


def _line(facts: dict[str, object]) -> str:
    return json.dumps(facts) + "\n"


def _ways(text: str) -> list[LoginMethod]:
    try:
        return [LoginMethod(each) for each in text.split(",")]
    except ValueError:
        raise BadRequest(f"ways are some of {', '.join(LoginMethod)}") from None
