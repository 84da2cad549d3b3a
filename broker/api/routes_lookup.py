"""The routes that answer package clients: which credential, and which feed a URL belongs to."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from broker.api.backend import backend_of, required_of
from broker.api.lookup import (
    WAIT_DEFAULT_S,
    WAIT_MAX_S,
    answer_in_time,
    lookup_request,
    permitted_match,
)
from broker.api.openapi import TWO_LINES
from broker.api.principal import principal_of
from broker.api.problems import problem, wants_text
from broker.api.response import json_answer
from broker.core.failures import Failure

router = APIRouter()

UrlQuery = Annotated[str, Query(description="the URL or host[:port] that the client wants a credential for")]
UsernameQuery = Annotated[str | None, Query(description="the username the client will use, if it knows one")]
WaitQuery = Annotated[float, Query(ge=0, description=f"seconds to wait, at most {WAIT_MAX_S:.0f}")]


@router.get("/v1/credential", responses=TWO_LINES)
async def credential(
    request: Request, url: UrlQuery, username: UsernameQuery = None, wait: WaitQuery = WAIT_DEFAULT_S
) -> Response:
    """The credential for a URL: JSON, or two lines (username, password) for `Accept: text/plain`."""
    answer = await answer_in_time(backend_of(request), lookup_request(url, username, wait), request.scope)
    return answer.response()


@router.get("/v1/match")
async def match(request: Request, url: UrlQuery, username: UsernameQuery = None) -> Response:
    """Which feed and realm a URL belongs to, and why, without fetching anything."""
    backend = backend_of(request)
    try:
        principal = await principal_of(backend, request.scope)
        found = permitted_match(backend, principal, url, username)
    except Failure as failure:
        return problem(failure, text=wants_text(request.scope["headers"]))
    return json_answer(
        {
            "feed": found.feed.name,
            "provider": found.feed.realm.provider,
            "realm": str(found.feed.realm),
            "scope": found.key.scope,
            "configured": found.feed.configured,
            "username": required_of(backend, found.feed),
            "why": found.why,
        }
    ).response()
