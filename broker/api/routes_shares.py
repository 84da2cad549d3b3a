"""The routes of shares: making, renewing, ending and listing them. Only the user's own socket has them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from broker.api.backend import Backend, backend_of
from broker.api.principal import principal_of, require_configuration
from broker.api.problems import problem
from broker.api.response import json_answer
from broker.core.access import Action, refusal_of_action
from broker.core.failures import Failure
from broker.core.status import to_json

router = APIRouter()

FeedsQuery = Annotated[list[str], Query(alias="feed", min_length=1, description="a feed's name; one or more")]
ForQuery = Annotated[float, Query(alias="for", description="the share's life in seconds")]


@router.get("/v1/shares")
async def listed(request: Request) -> Response:
    """Every share, and those that ended lately."""
    backend = await _ordered(request)
    return json_answer({"shares": [to_json(share) for share in backend.shares.listed()]}).response()


@router.post("/v1/shares/{name}")
async def share(request: Request, name: str, feeds: FeedsQuery, for_s: ForQuery) -> Response:
    """Make a share, or renew it with these feeds and this life; answers it."""
    backend = await _ordered(request)
    require_configuration(backend)
    try:
        return json_answer(to_json(backend.shares.grant(name, feeds, for_s))).response()
    except Failure as failure:
        return problem(failure, text=False)


@router.post("/v1/shares/{name}/end")
async def end(request: Request, name: str) -> Response:
    """End a share now; answers all shares, those included that have ended and still say so."""
    backend = await _ordered(request)
    try:
        backend.shares.end(name)
    except Failure as failure:
        return problem(failure, text=False)
    return json_answer({"shares": [to_json(each) for each in backend.shares.listed()]}).response()


async def _ordered(request: Request) -> Backend:
    """The backend; raises NotAllowed for a caller who may not order this."""
    backend = backend_of(request)
    refusal = refusal_of_action(await principal_of(backend, request.scope), Action.SHARE)
    if refusal is not None:
        raise refusal
    return backend
