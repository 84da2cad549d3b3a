"""The route that explains a look-up: each step as a JSON line, as soon as it was taken."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC

from fastapi import APIRouter, Request
from fastapi.responses import Response

from broker.api.backend import Backend, backend_of
from broker.api.long_answer import LongAnswer
from broker.api.lookup import WAIT_DEFAULT_S, permitted_match
from broker.api.openapi import Lines
from broker.api.principal import principal_of
from broker.api.routes_lookup import UrlQuery, UsernameQuery
from broker.core.access import Action, Principal, may_see, refusal_of_action
from broker.core.credential import Credential
from broker.core.failures import Failure, SignInNeeded
from broker.core.feeds import NO_FEED, Match
from broker.core.refresh import Held
from broker.core.unknown_address import next_line
from broker.core.urls import parse_service
from broker.core.verdict import Verdict
from broker.host.lookup_trace import TraceStep, trace_step, tracing

router = APIRouter()

GOOD = {Verdict.ACCEPTED: True, Verdict.UNAUTHORISED: False, Verdict.FORBIDDEN: False}


@router.post("/v1/explain", response_class=Lines)
async def explain(request: Request, url: UrlQuery, username: UsernameQuery = None) -> Response:
    """Look a credential up anew and tell each step, the last one being the outcome. No secrets.

    A caller who may not order a renewal is told of the look-up as it is for them, and no feed is contacted.
    """
    backend = backend_of(request)
    walk = _told(backend, await principal_of(backend, request.scope), url, username)
    return LongAnswer(walk, "application/jsonl")


async def _told(backend: Backend, principal: Principal, url: str, username: str | None) -> AsyncIterator[str]:
    steps: asyncio.Queue[TraceStep | None] = asyncio.Queue()
    with tracing(steps.put_nowait):
        walking = asyncio.create_task(_walk(backend, principal, url, username))
    walking.add_done_callback(lambda _: steps.put_nowait(None))
    try:
        while (step := await steps.get()) is not None:
            yield json.dumps(asdict(step)) + "\n"
        walking.result()
    finally:
        walking.cancel()


async def _walk(backend: Backend, principal: Principal, url: str, username: str | None) -> None:
    keeper = backend.keeper
    try:
        match = permitted_match(backend, principal, url, username)
        _tell_match(backend, principal, match)
        if keeper.is_flying(match):
            trace_step("renewal", "one is under way already: its steps are not told")
        may_renew = refusal_of_action(principal, Action.REFRESH) is None
        if may_renew:
            credential = await keeper.refresh(match)
        else:
            credential = await keeper.credential_for(match, WAIT_DEFAULT_S)
        held = keeper.slot_table.of(match, keeper.clock.now()).slot.held
        trace_step("answer", _answer(credential, held), good=True)
        try:
            if may_renew:
                await keeper.verify(match)
        finally:
            answer = keeper.last_answer(match)
            text = answer.words if match.feed.verify else "verify is off"
            trace_step("verified", text, good=GOOD.get(answer.verdict))
    except Failure as failure:
        trace_step("your turn" if isinstance(failure, SignInNeeded) else "failed", failure.detail, good=False)
        hint = failure.hint
        if hint is None and failure.detail == NO_FEED:  # who asks here means a feed, whatever the address is
            hint = next_line(parse_service(url))
        if hint is not None:
            trace_step("hint", hint)


def _tell_match(backend: Backend, principal: Principal, match: Match) -> None:
    feed = match.feed
    place = feed.place or "learned from its address"
    trace_step("feed", f"{feed.name} ({place}), {match.why}")
    others = [
        other.name
        for other in backend.keeper.slot_table.feeds()
        if other.key() == feed.key() and other != feed and may_see(principal, other)
    ]
    shared = f", shared with {', '.join(others)}" if others else ""
    scope = "" if match.key.scope == feed.scope else f", to {match.key.scope}"
    trace_step("realm", f"{feed.realm}{shared}{scope}")


def _answer(credential: Credential, held: Held | None) -> str:
    name = credential.shown_username or "a secret user name"
    answer = f"{name} and {len(credential.secret.reveal()):,} characters"
    if credential.expires_at is not None:
        answer += f", ends {credential.expires_at.astimezone(UTC):%H:%M} UTC"
    return answer if held is None else f"{answer}, replaced at {held.due.wall:%H:%M} UTC"
