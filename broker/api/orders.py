"""The routes that change something: refresh, forget, reload."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from broker.api.office import Office, feed_status_of, office_of
from broker.api.problems import problem
from broker.core.failures import BadConfiguration, NoFeed, NotObtained
from broker.core.feeds import Feed, Match
from broker.core.status import to_json

UNPROCESSABLE = 422

router = APIRouter()


@router.post("/v1/feeds/{name}/refresh")
async def refresh(request: Request, name: str) -> Response:
    """Fetch a new token now, wait for it, answer the feed's status."""
    office = office_of(request)
    try:
        feed = _feed(office, name)
        await office.keeper.refresh(Match(feed, feed.key(), "named"))
    except NoFeed as failure:
        return problem(failure, text=False)
    except NotObtained as failure:
        return problem(failure, text=False, feed=name)
    return JSONResponse(to_json(feed_status_of(office, feed)))


@router.post("/v1/feeds/{name}/forget")
async def forget(request: Request, name: str) -> Response:
    """Drop the feed's token; the next look-up fetches anew. Answers the feed's status."""
    office = office_of(request)
    try:
        feed = _feed(office, name)
    except NoFeed as failure:
        return problem(failure, text=False)
    office.keeper.forget(feed)
    return JSONResponse(to_json(feed_status_of(office, feed)))


@router.post("/v1/reload")
async def reload(request: Request) -> Response:
    """Read the configuration again; a broken one changes nothing and is a 422 that says where."""
    office = office_of(request)
    try:
        await office.reload()
    except BadConfiguration as failure:
        return problem(failure, text=False, status=UNPROCESSABLE)
    return JSONResponse({"feeds": [feed.name for feed in office.keeper.entries.feeds()]})


def _feed(office: Office, name: str) -> Feed:
    feed = office.keeper.entries.named(name)
    if feed is None:
        raise NoFeed(f"there is no feed called {name}", hint="brokerctl status")
    return feed
