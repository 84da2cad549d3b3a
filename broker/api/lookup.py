"""A look-up: what it asks, which feed answers this caller, and its answer, recorded in the statistics."""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from broker.api.backend import Backend
from broker.api.principal import (
    PeerIds,
    Scope,
    admit,
    is_own,
    peer_of,
    require_configuration,
    unchecked_principal_of,
)
from broker.api.problems import answer_to, wants_text
from broker.api.response import PLAIN, LookupResponse, json_answer
from broker.core.access import Account, OwnSocket, Principal, may_do_everything, refusal_of_look_up, seen_by
from broker.core.credential import Credential, unanswerable_username
from broker.core.failures import (
    AmbiguousHost,
    BadRequest,
    Failure,
    NoFeed,
    NoSource,
    NotNeeded,
    Unavailable,
)
from broker.core.feeds import Ambiguous, Match, NoMatch, NoRoom, other_username
from broker.core.moment import Moment
from broker.core.problem import problem_type
from broker.core.status import LookupRecord, rfc3339
from broker.core.unknown_address import adding
from broker.core.urls import Host, Service, parse_service
from broker.keeper.stats import Outcome

WAIT_DEFAULT_S = 30.0
WAIT_MAX_S = 300.0
"""A look-up waits this long at most; the shims say how long they can."""

SHOWN = 256
"""So many addresses are written out once for all: clients ask about the same few again and again."""

audit = logging.getLogger("broker.audit")
"""One line for each look-up by a socket that is not the asker's own. No URL: it may be anything."""


class LookupRequest(NamedTuple):
    """What a look-up asks; `wait_s` is how long the client can wait, `unanswerable` what is wrong with the
    username (`unanswerable_username`): found once for all look-ups in the same words.
    """

    url: str
    username: str | None
    wait_s: float
    unanswerable: str | None


def lookup_request(url: str, username: str | None, wait_s: float) -> LookupRequest:
    """The look-up that asks this."""
    return LookupRequest(url, username, wait_s, unanswerable_username(username) if username else None)


def lookup_request_of(query: bytes) -> LookupRequest | None:
    """The look-up that a query string asks, or None for one whose faults FastAPI shall name."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace")
    values = dict(pairs)
    if len(values) != len(pairs) or "url" not in values or not values.keys() <= {"url", "username", "wait"}:
        return None
    try:
        wait_s = float(values.get("wait", WAIT_DEFAULT_S))
    except ValueError:
        return None
    return lookup_request(values["url"], values.get("username"), wait_s) if wait_s >= 0 else None


class FinalResponse(NamedTuple):
    """A whole answer, the last on its connection, and what records the look-up once it was
    given.
    """

    words: bytes
    enter: Callable[[], None]


def answer_at_once(
    backend: Backend, question: LookupRequest, service: Service, peer: PeerIds
) -> FinalResponse | None:
    """The answer as text to who asks by the user's own socket, or None where it takes a fetch."""
    lookup = _Lookup(backend, question, peer, text=True, is_own=True)
    try:
        match = lookup.match(service, _by_own_socket(peer.uid))
        found = backend.keeper.held(match, lookup.begun)
        answer = None if found is None else lookup.answered(match, found, Outcome.HIT)
    except Failure as failure:
        answer = lookup.failed(failure)
    return None if answer is None else FinalResponse(answer.written(), lookup.enter)


async def answer_after_fetch(
    backend: Backend, question: LookupRequest, service: Service, peer: PeerIds
) -> FinalResponse:
    """What `answer_at_once` could not answer without a fetch."""
    lookup = _Lookup(backend, question, peer, text=True, is_own=True)
    try:
        answer = await lookup.fetched(service, _by_own_socket(peer.uid))
    except Failure as failure:
        answer = lookup.failed(failure)
    return FinalResponse(answer.written(), lookup.enter)


@lru_cache(16)
def _by_own_socket(uid: int) -> Principal:
    return Principal(OwnSocket(), Account(uid))


async def answer_in_time(backend: Backend, question: LookupRequest, scope: Scope) -> LookupResponse:
    """The answer to a request, after a fetch where it takes one."""
    text = wants_text(scope["headers"])
    lookup = _Lookup(backend, question, peer_of(scope), text=text, is_own=is_own(scope))
    try:
        service = lookup.service = parse_service(question.url)
        answer = await lookup.fetched(service, await unchecked_principal_of(backend, scope))
    except Failure as failure:
        answer = lookup.failed(failure)
    lookup.enter()
    return answer


class _Ending(NamedTuple):
    """How a look-up ended, and when its answer was found: how long a client takes to read it is no news."""

    at: Moment
    feed: str | None
    outcome: Outcome
    failure: Failure | None = None


class _Lookup:
    """One look-up, from the question to its record in the statistics."""

    __slots__ = (
        "_backend",
        "_ending",
        "_is_own",
        "_match",
        "_peer",
        "_question",
        "_text",
        "begun",
        "service",
    )

    def __init__(
        self, backend: Backend, question: LookupRequest, peer: PeerIds, *, text: bool, is_own: bool
    ) -> None:
        self._backend = backend
        self._question = question
        self._peer = peer
        self._text = text
        self._is_own = is_own
        self.begun = backend.keeper.clock.now()
        self.service: Service | None = None
        self._match: Match | None = None

    def match(self, service: Service, principal: Principal) -> Match:
        """The feed that answers the caller; raises why none does."""
        self.service = service
        self._match = found = match_feed(self._backend, service, self._question.username)
        if not may_do_everything(principal):
            self._match = found = authorize(principal, found)
            admit(
                principal, self.begun
            )  # only now: what no share was for is passed on when it has ended, too
        if self._question.unanswerable is not None:
            raise _unanswerable(self._question.unanswerable)
        return found

    async def fetched(self, service: Service, principal: Principal) -> LookupResponse:
        """The answer, after a fetch where it takes one; raises why there is none."""
        match = self.match(service, principal)
        outcome, found = Outcome.HIT, self._backend.keeper.held(match, self._backend.keeper.clock.now())
        if found is None:
            outcome, wait_s = Outcome.WAIT, min(self._question.wait_s, WAIT_MAX_S)
            found = await self._backend.keeper.credential_for(match, wait_s)
        return self.answered(match, found, outcome)

    def answered(self, match: Match, found: Credential, outcome: Outcome) -> LookupResponse:
        """The answer with the match's credential; raises NoFeed where it goes with another username."""
        feed, username = match.feed.name, self._question.username
        if found.is_personal and username not in {None, "", found.username}:
            raise NoFeed(other_username(feed, found.shown_username, username))
        self._ending = _Ending(self._backend.keeper.clock.now(), feed, outcome)
        # pip asks twice when another username comes back than the one it named, so that one is echoed.
        name, password = username or found.username, found.secret.reveal()
        if self._text:
            return LookupResponse(200, PLAIN, f"{name}\n{password}\n")
        ends = None if found.expires_at is None else rfc3339(found.expires_at)
        facts = {"feed": feed, "username": name, "password": password, "expires_at": ends}
        return json_answer(facts)

    def failed(self, failure: Failure) -> LookupResponse:
        """The answer that says why there is no credential."""
        match = self._match
        known_by_auto = match is not None and not match.feed.configured
        if isinstance(failure, NotNeeded) or (isinstance(failure, NoSource) and known_by_auto):
            # A public feed; or one known by its address alone, with no way to sign in here: not ours
            # (CONTRACT section 3). Clients go on without a credential.
            failure = NoFeed(failure.detail, hint=failure.hint)
        feed = None if match is None or isinstance(failure, NoFeed) else match.feed.name
        outcome = Outcome.MISS if feed is None else Outcome.ERROR
        self._ending = _Ending(self._backend.keeper.clock.now(), feed, outcome, failure)
        return answer_to(failure, text=self._text, feed=feed)

    def enter(self) -> None:
        """Record how the look-up ended."""
        now, feed, outcome, failure = self._ending
        uid, pid = self._peer.uid, self._peer.pid
        lookup = LookupRecord(
            at=now.wall,
            uid=uid,
            pid=pid,
            url=_shown(self.service),
            feed=feed,
            outcome=outcome,
            hint=failure.hint if failure is not None else None,
            error=failure.detail if failure is not None else None,
        )
        self._backend.stats.record(lookup, outcome, self.begun, now)
        if not self._is_own:
            told = outcome.value if failure is None else problem_type(failure).slug
            audit.info("lookup uid=%d pid=%d feed=%s outcome=%s", uid, pid, feed or "-", told)


def match_feed(backend: Backend, service: Service, username: str | None) -> Match:
    """The feed that answers; raises why none does, or that there is no usable configuration."""
    is_word = isinstance(service, Host) and "." not in service.host and service.port is None
    if backend.fault is not None and is_word:
        raise NoFeed("this is no address of a feed")  # pdm and poetry ask for plain words, too
    require_configuration(backend)
    found = backend.keeper.slot_table.find(service, username)
    if isinstance(found, Match):
        return found
    match found:
        case NoMatch(why=why, names_feed=names_feed):
            raise NoFeed(why, hint=adding(service) if names_feed else None)
        case NoRoom(why=why):  # not NoFeed: clients keep that to themselves
            raise Unavailable(why, hint=adding(service))
        case Ambiguous(feeds=feeds):
            names = ", ".join(feed.name for feed in feeds)
            raise AmbiguousHost(f"feeds {names} share this host with different credentials: ask with a URL")


def authorize(principal: Principal, match: Match) -> Match:
    """The match as this caller may know it; raises why they do not get its credential."""
    refusal = refusal_of_look_up(principal, match)
    if refusal is not None:
        raise refusal
    return seen_by(principal, match)


def permitted_match(backend: Backend, principal: Principal, url: str, username: str | None) -> Match:
    """The match that a look-up of this caller would get; raises why they get none."""
    match = authorize(principal, match_feed(backend, parse_service(url), username))
    wrong = unanswerable_username(username) if username else None
    if wrong is not None:
        raise _unanswerable(wrong)
    return match


def _unanswerable(wrong: str) -> BadRequest:
    """Why an answer, which repeats the username, cannot be given.

    Asked after `authorize`: only who may use the feed learns that there is one. The shims know this refusal
    by its words (`UNANSWERABLE` there); every other 400 is passed on.
    """
    return BadRequest(f"the username cannot stand in an answer: it is {wrong}")


@lru_cache(SHOWN)
def _shown(service: Service | None) -> str:
    """What was asked for, as status may show it: parsed, so without userinfo."""
    match service:
        case None:
            return "(not a URL)"
        case Host(host=host, port=port):
            return host if port is None else f"{host}:{port}"
    return str(service)
