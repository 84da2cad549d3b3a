"""The routes of shares: making, renewing, ending and listing them. Only the user's own socket has them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from broker.api.backend import Office, office_of
from broker.api.principal import guest_of
from broker.api.problems import problem
from broker.core.access import Order, refusal_of_order
from broker.core.failures import Failure
from broker.core.status import to_json

router = APIRouter()

FeedsQuery = Annotated[list[str], Query(alias="feed", min_length=1, description="a feed's name; one or more")]
ForQuery = Annotated[float, Query(alias="for", description="the share's life in seconds")]


@router.get("/v1/shares")
async def listed(request: Request) -> Response:
    """Every share, and those that ended lately."""
    office = await _ordered(request)
    return JSONResponse({"shares": [to_json(share) for share in office.shares.listed()]})


@router.post("/v1/shares/{name}")
async def share(request: Request, name: str, feeds: FeedsQuery, for_s: ForQuery) -> Response:
    """Make a share, or renew it with these feeds and this life; answers it."""
    office = await _ordered(request)
    try:
        return JSONResponse(to_json(office.shares.grant(name, feeds, for_s)))
    except Failure as failure:
        return problem(failure, text=False)


@router.post("/v1/shares/{name}/end")
async def end(request: Request, name: str) -> Response:
    """End a share now; answers those that are left."""
    office = await _ordered(request)
    try:
        office.shares.end(name)
    except Failure as failure:
        return problem(failure, text=False)
    return JSONResponse({"shares": [to_json(each) for each in office.shares.listed()]})


async def _ordered(request: Request) -> Office:
    """The office; raises NotAllowed for a guest who may not order this."""
    office = office_of(request)
    refusal = refusal_of_order(await guest_of(office, request.scope), Order.SHARE)
    if refusal is not None:
        raise refusal
    return office
