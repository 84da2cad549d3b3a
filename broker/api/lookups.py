"""The routes that answer package clients: which credential, and which feed a URL belongs to."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from broker.api.office import Office, office_of, pid_of
from broker.api.problems import problem, wants_text
from broker.core.credential import Credential
from broker.core.failures import AmbiguousHost, Failure, NoFeed, NoSource
from broker.core.feeds import Ambiguous, Match, NoMatch
from broker.core.status import Lookup, rfc3339
from broker.core.urls import Host, Service, parse_service
from broker.ledger import Outcome

WAIT_DEFAULT_S = 30.0
WAIT_MAX_S = 300.0
"""A look-up waits this long at most; the shims say how long they can."""

router = APIRouter()

UrlQuery = Annotated[str, Query(description="the URL or host[:port] that the client wants a credential for")]
UsernameQuery = Annotated[str | None, Query(description="the username the client will use, if it knows one")]
WaitQuery = Annotated[float, Query(ge=0, description=f"seconds to wait, at most {WAIT_MAX_S:.0f}")]


@router.get("/v1/credential")
async def credential(
    request: Request, url: UrlQuery, username: UsernameQuery = None, wait: WaitQuery = WAIT_DEFAULT_S
) -> Response:
    """The credential for a URL: JSON, or two lines (username, password) for `Accept: text/plain`."""
    office = office_of(request)
    keeper = office.keeper
    begun = keeper.clock.now()
    feed, service, outcome, answer = None, None, Outcome.HIT, None
    try:
        service = parse_service(url)
        match = matched(office, service, username)
        feed = match.feed.name
        found = keeper.held(match)
        if found is None:
            outcome = Outcome.WAIT
            found = await keeper.credential_for(match, min(wait, WAIT_MAX_S))
        answer = _answer(request, feed, found, username)
        hint = None
    except Failure as failure:
        if isinstance(failure, NoSource) and not match.feed.configured:
            # Known by its address alone, and nobody here could sign in: not ours (CONTRACT section 3).
            failure, feed = NoFeed(failure.detail, hint=failure.hint), None
        outcome = Outcome.MISS if feed is None else Outcome.ERROR
        hint = failure.hint
        answer = problem(request, failure, feed=feed)
    now = keeper.clock.now()
    lookup = Lookup(now.wall, pid_of(request), _shown(service), feed, outcome.value, hint)
    office.ledger.record(lookup, outcome, begun, now)
    return answer


@router.get("/v1/match")
async def match(request: Request, url: UrlQuery, username: UsernameQuery = None) -> Response:
    """Which feed and realm a URL belongs to, and why, without fetching anything."""
    try:
        found = matched(office_of(request), parse_service(url), username)
    except Failure as failure:
        return problem(request, failure)
    return JSONResponse(
        {
            "feed": found.feed.name,
            "provider": found.feed.realm.provider,
            "realm": str(found.feed.realm),
            "scope": found.key.scope,
            "configured": found.feed.configured,
            "username": found.feed.username,
            "why": found.why,
        }
    )


def _answer(request: Request, feed: str, found: Credential, username: str | None) -> Response:
    # pip asks twice when another username comes back than the one it named, so that one is echoed.
    name = username or found.username
    if wants_text(request):
        return PlainTextResponse(f"{name}\n{found.secret.reveal()}\n")
    return JSONResponse(
        {
            "feed": feed,
            "username": name,
            "password": found.secret.reveal(),
            "expires_at": None if found.expires_at is None else rfc3339(found.expires_at),
        }
    )


def _shown(service: Service | None) -> str:
    """What was asked for, as status may show it: parsed, so without userinfo."""
    match service:
        case None:
            return "(not a URL)"
        case Host(host=host, port=port):
            return host if port is None else f"{host}:{port}"
    return str(service)


def matched(office: Office, service: Service, username: str | None) -> Match:
    """The feed that answers; raises why none does, or that there is no usable configuration."""
    if office.fault is not None:
        if isinstance(service, Host) and "." not in service.host and service.port is None:
            raise NoFeed("this is no address of a feed")  # pdm and poetry ask for plain words, too
        raise office.fault
    found = office.keeper.entries.find(service, username)
    match found:
        case NoMatch(why=why):
            raise NoFeed(why)
        case Ambiguous(feeds=feeds):
            names = ", ".join(feed.name for feed in feeds)
            raise AmbiguousHost(f"feeds {names} share this host with different credentials: ask with a URL")
    return found
