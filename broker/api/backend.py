"""What the routes need of the daemon: one protocol that `daemon/runtime.py` satisfies and tests can fake."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from broker.core.access import (
    Account,
    OwnSocket,
    Principal,
    Share,
    may_see,
    may_see_look_up_of,
    may_see_totals,
)
from broker.core.failures import BadConfiguration
from broker.core.feeds import Feed
from broker.core.log_buffer import LogBuffer
from broker.core.login_progress import LoginMethod, LoginPage, SignedIn, SignedOut
from broker.core.moment import Moment
from broker.core.refresh import Slot
from broker.core.status import BrokerStatus, FeedStatus, ShareStatus, Usage, feed_status, required_username
from broker.keeper.keeper import Keeper
from broker.keeper.stats import Stats

if TYPE_CHECKING:
    from fastapi import Request


class AccountDirectory(Protocol):
    """The user and group databases."""

    async def caller(self, uid: int, groups: frozenset[str]) -> Account:
        """Who this uid is, and which of `groups` it is in now; raises Unavailable."""
        ...


class ShareStore(Protocol):
    """The second sockets, each for some feeds and a time."""

    def grant(self, name: str, feeds: Sequence[str], for_s: float) -> ShareStatus:
        """Make or renew a share; raises NoFeed, BadRequest, Unavailable."""
        ...

    def end(self, name: str) -> None:
        """End a share now; raises BadRequest where there is none, Unavailable."""
        ...

    def present(self, name: str) -> Share:
        """What the share of this name grants now; raises NotAllowed where it was ended."""
        ...

    def listed(self) -> tuple[ShareStatus, ...]:
        """Every share."""
        ...


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while the daemon runs."""

    version: str
    pid: int
    socket: str
    config: str | None
    started: Moment


class Backend(Protocol):
    """The daemon as the routes see it."""

    about: About
    keeper: Keeper
    stats: Stats
    log_buffer: LogBuffer
    fault: BadConfiguration | None
    """Why there is no usable configuration, or None."""
    reload_failure: BadConfiguration | None
    """Why the file on disk is not in force, while an earlier one is; or None."""

    @property
    def auto(self) -> bool | frozenset[str]:
        """Whether feeds are learned, or of which providers."""
        ...

    @property
    def ca(self) -> Path | None:
        """The configured file of certificate authorities."""
        ...

    @property
    def accounts(self) -> AccountDirectory:
        """Whom the system broker asks who a caller is."""
        ...

    @property
    def shares(self) -> ShareStore:
        """The second sockets."""
        ...

    async def reload(self) -> None:
        """Read the configuration again; raises BadConfiguration and changes nothing when it is broken."""
        ...

    def sign_in(
        self, feed: Feed, ways: Sequence[LoginMethod], *, in_file: bool
    ) -> AsyncGenerator[LoginPage | SignedIn, None]:
        """Sign a person in (`providers.protocol.Interactive`); the iterator raises NotObtained.

        Raises BadRequest, with the command that signs in there, where a sign-in is none of ours.
        """
        ...

    async def sign_out(self, feed: Feed) -> SignedOut:
        """Drop the sign-in that the feed uses; raises as `sign_in` does."""
        ...

    async def closing(self) -> None:
        """Returns when the daemon is about to end: streams must end then."""
        ...


def backend_of(request: "Request") -> Backend:
    """The backend of the app that this request came to."""
    backend: Backend = request.app.state.backend
    return backend


def status_of(backend: Backend, principal: Principal) -> BrokerStatus:
    """The status as this caller may see it, as of now."""
    about, keeper = backend.about, backend.keeper
    now = keeper.clock.now()
    seen = [feed for feed in keeper.slot_table.feeds() if may_see(principal, feed)]
    failure = backend.fault or backend.reload_failure
    return BrokerStatus(
        version=about.version,
        pid=about.pid,
        socket=about.socket,
        config=about.config,
        started_at=about.started.wall,
        uptime_s=int(now.boot_s - about.started.boot_s),
        lookups=backend.stats.totals(None if may_see_totals(principal) else [feed.name for feed in seen]),
        recent=tuple(
            lookup
            for lookup in backend.stats.recent
            if may_see_look_up_of(principal, lookup.uid, lookup.feed)
        ),
        feeds=tuple(feed_status_of(backend, feed) for feed in seen),
        error=None if failure is None else failure.detail,
        hint=None if failure is None else failure.line,
        shares=backend.shares.listed() if isinstance(principal.socket_kind, OwnSocket) else (),
        auto=backend.auto if isinstance(backend.auto, bool) else tuple(sorted(backend.auto)),
        ca=None if backend.ca is None else str(backend.ca),
    )


def feed_status_of(backend: Backend, feed: Feed) -> FeedStatus:
    """One feed's status, as of now."""
    keeper = backend.keeper
    now = keeper.clock.now()
    entry = keeper.slot_table.holding(feed)
    counts = backend.stats.of(feed.name)
    usage = Usage(
        since=entry.since if entry is not None else backend.about.started.wall,
        lookups=counts.outcomes.total(),
        fetches=entry.fetches if entry is not None else 0,
        last_used_at=counts.last_used_at,
    )
    return feed_status(
        feed,
        entry.slot if entry is not None else Slot(feed.key()),
        entry.verifications.get(feed.name) if entry is not None else None,
        usage,
        ttl_s=keeper.policies.of(feed).ttl_s,
        shares=entry.feed.name if entry is not None and entry.feed.name != feed.name else None,
        now=now,
    )


def required_of(backend: Backend, feed: Feed) -> str | None:
    """The only user name that the feed answers, as far as is known without fetching anything."""
    entry = backend.keeper.slot_table.holding(feed)
    held = None if entry is None else entry.slot.held
    return required_username(feed, None if held is None else held.credential)
