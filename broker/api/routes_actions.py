"""The routes that change something: refresh, verify, forget, reload."""

import contextlib

from fastapi import APIRouter, Request
from fastapi.responses import Response

from broker.api.backend import backend_of, feed_status_of
from broker.api.principal import feed_for_action, principal_of
from broker.api.problems import problem
from broker.api.response import json_answer
from broker.core.access import Action, refusal_of_action
from broker.core.failures import BadConfiguration, Failure, NotObtained
from broker.core.feeds import Match
from broker.core.status import to_json

UNPROCESSABLE = 422

router = APIRouter()


@router.post("/v1/feeds/{name}/refresh")
async def refresh(request: Request, name: str) -> Response:
    """Fetch a new token now, wait for it, answer the feed's status."""
    backend = backend_of(request)
    try:
        feed = await feed_for_action(request, Action.REFRESH, name)
        await backend.keeper.refresh(Match(feed, feed.key(), "named"))
    except Failure as failure:
        return problem(failure, text=False, feed=name)
    return json_answer(to_json(feed_status_of(backend, feed))).response()


@router.post("/v1/feeds/{name}/verify")
async def verify(request: Request, name: str) -> Response:
    """Try the feed's token at the feed now, wait for its word, answer the feed's status.

    Where nothing is held, or the feed says 401, one is fetched first. The answer is 200 whatever the feed
    said: `verdict`, `error` and `hint` tell.
    """
    backend = backend_of(request)
    try:
        feed = await feed_for_action(request, Action.REFRESH, name)
    except Failure as failure:
        return problem(failure, text=False, feed=name)
    with contextlib.suppress(NotObtained):  # it is in the status
        await backend.keeper.verify(Match(feed, feed.key(), "named"))
    return json_answer(to_json(feed_status_of(backend, feed))).response()


@router.post("/v1/feeds/{name}/forget")
async def forget(request: Request, name: str) -> Response:
    """Drop the feed's token; the next look-up fetches anew. Answers the feed's status."""
    backend = backend_of(request)
    try:
        feed = await feed_for_action(request, Action.FORGET, name)
    except Failure as failure:
        return problem(failure, text=False, feed=name)
    backend.keeper.forget(feed)
    return json_answer(to_json(feed_status_of(backend, feed))).response()


@router.post("/v1/reload")
async def reload(request: Request) -> Response:
    """Read the configuration again; a broken one changes nothing and is a 422 that says where."""
    backend = backend_of(request)
    refusal = refusal_of_action(await principal_of(backend, request.scope), Action.RELOAD)
    if refusal is not None:
        raise refusal
    try:
        await backend.reload()
    except BadConfiguration as failure:
        return problem(failure, text=False, status=UNPROCESSABLE)
    return json_answer({"feeds": [feed.name for feed in backend.keeper.slot_table.feeds()]}).response()
