"""The routes that answer package clients: which credential, and which feed a URL belongs to."""

import logging
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Scope

from broker.api.guests import admit, guest_of, is_own, pid_of, uid_of, unchecked_guest_of
from broker.api.office import Office, office_of
from broker.api.problems import problem, slug_of, wants_text
from broker.core.access import Guest, refusal_of_look_up, seen_by
from broker.core.credential import Credential
from broker.core.failures import AmbiguousHost, Failure, NoFeed, NoSource, NotNeeded
from broker.core.feeds import Ambiguous, Match, NoMatch
from broker.core.status import Lookup, rfc3339
from broker.core.urls import Host, Service, parse_service
from broker.ledger import Outcome

WAIT_DEFAULT_S = 30.0
WAIT_MAX_S = 300.0
"""A look-up waits this long at most; the shims say how long they can."""

router = APIRouter()

audit = logging.getLogger("broker.audit")
"""One line for each look-up by a socket that is not the asker's own. No URL: it may be anything."""

UrlQuery = Annotated[str, Query(description="the URL or host[:port] that the client wants a credential for")]
UsernameQuery = Annotated[str | None, Query(description="the username the client will use, if it knows one")]
WaitQuery = Annotated[float, Query(ge=0, description=f"seconds to wait, at most {WAIT_MAX_S:.0f}")]


@router.get("/v1/credential")
async def credential(
    request: Request, url: UrlQuery, username: UsernameQuery = None, wait: WaitQuery = WAIT_DEFAULT_S
) -> Response:
    """The credential for a URL: JSON, or two lines (username, password) for `Accept: text/plain`."""
    return await answer(office_of(request), Question(url, username, wait), request.scope)


class Question(NamedTuple):
    """What a look-up asks; `wait_s` is how long the client can wait."""

    url: str
    username: str | None
    wait_s: float


async def answer(office: Office, question: Question, scope: Scope) -> Response:
    """The response to a look-up, entered in the ledger."""
    keeper, text = office.keeper, wants_text(scope["headers"])
    begun = keeper.clock.now()
    uid, pid = uid_of(scope), pid_of(scope)
    service: Service | None = None
    match: Match | None = None
    failure: Failure | None = None
    outcome = Outcome.HIT
    try:
        service = parse_service(question.url)
        guest = await unchecked_guest_of(office, scope)
        match = matched(office, service, question.username)
        match = permit(guest, match)
        admit(office, guest)  # only now: what no share was ever for is passed on when it has ended, too
        found = keeper.held(match)
        if found is None:
            outcome = Outcome.WAIT
            found = await keeper.credential_for(match, min(question.wait_s, WAIT_MAX_S))
        if found.is_personal and question.username not in {None, "", found.username}:
            raise NoFeed(f"feed {match.feed.name} answers only the username that its secret came with")
        response = _answered(match.feed.name, found, question.username, text=text)
    except Failure as raised:
        failure = raised
        known_by_auto = match is not None and not match.feed.configured
        if isinstance(failure, NotNeeded) or (isinstance(failure, NoSource) and known_by_auto):
            # A public feed; or one known by its address alone, and nobody here could sign in: not ours
            # (CONTRACT section 3). Clients go on without a credential.
            failure = NoFeed(failure.detail, hint=failure.hint)
        match = None if isinstance(failure, NoFeed) else match
        outcome = Outcome.MISS if match is None else Outcome.ERROR
        response = problem(failure, text=text, feed=match.feed.name if match is not None else None)
    now = keeper.clock.now()
    lookup = Lookup(
        at=now.wall,
        uid=uid,
        pid=pid,
        url=_shown(service),
        feed=match.feed.name if match is not None else None,
        outcome=outcome.value,
        hint=failure.hint if failure is not None else None,
    )
    office.ledger.record(lookup, outcome, begun, now)
    if not is_own(scope):
        told = outcome.value if failure is None else slug_of(failure)
        audit.info("lookup uid=%d pid=%d feed=%s outcome=%s", uid, pid, lookup.feed or "-", told)
    return response


@router.get("/v1/match")
async def match(request: Request, url: UrlQuery, username: UsernameQuery = None) -> Response:
    """Which feed and realm a URL belongs to, and why, without fetching anything."""
    office = office_of(request)
    try:
        guest = await guest_of(office, request.scope)
        found = permit(guest, matched(office, parse_service(url), username))
    except Failure as failure:
        return problem(failure, text=wants_text(request.scope["headers"]))
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


def _answered(feed: str, found: Credential, username: str | None, *, text: bool) -> Response:
    # pip asks twice when another username comes back than the one it named, so that one is echoed.
    name = username or found.username
    if text:
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


def permit(guest: Guest, match: Match) -> Match:
    """The match as this guest may know it; raises why they do not get its credential."""
    refusal = refusal_of_look_up(guest, match)
    if refusal is not None:
        raise refusal
    return seen_by(guest, match)
