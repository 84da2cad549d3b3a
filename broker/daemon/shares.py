"""Shares: further sockets with a lifetime, for containers and machines that reach nothing else of this
broker.

Part of the composition root: what may be asked is decided in `core.access`, what a grant is in
`core.share_grant`. Grants outlive the daemon in a file that no container sees. A share that has ended, by
itself or by its owner, keeps its socket for a while, to say what renews it; its folder is never removed, for
a container may have it mounted.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from broker.core.access import Share, ShareSocket
from broker.core.failures import LOOK_ROUND, BadRequest, NoFeed, NotAllowed, Unavailable
from broker.core.feeds import READ, Feed
from broker.core.share_grant import MOST, Grant, from_record, granted, to_record
from broker.core.status import ShareStatus
from broker.daemon.share_program import put_program
from broker.host import state_file
from broker.host.clock import Clock
from broker.server.limits import CONNECTIONS_PER_SHARE, REQUESTS_PER_SHARE_S
from broker.server.listen import NotListening
from broker.server.listener_spec import ListenerSpec, any_peer
from broker.server.share_socket import ShareListener
from broker.server.ucred import peer_as_seen

FOLDERS = "shares"
"""Beside the daemon's socket: a folder for each share."""

MEMO = "granted.json"
"""In it: no container sees more than its own folder, and the sandboxed daemon sees only these."""

log = logging.getLogger("broker.shares")


class Closable(Protocol):
    """Accepts connections until it is closed."""

    def close(self) -> None:
        """Accept no more connections."""
        ...


Listen = Callable[[ListenerSpec], Closable]


@dataclass(slots=True)
class _Open:
    """A grant, its socket, and what accepts connections there."""

    grant: Grant
    share_listener: ShareListener
    acceptor: Closable


class Shares:
    """All shares of one daemon, whose socket lies in `base` and whose user has the uid `owner`.

    `feed_named` finds a feed that is configured now; `program` is the shim that each share's folder gets.
    """

    def __init__(
        self,
        base: Path,
        owner: int,
        *,
        clock: Clock,
        feed_named: Callable[[str], Feed | None],
        program: Path | None = None,
    ) -> None:
        self._base = base
        self._owner = owner
        self._clock = clock
        self._feed_named = feed_named
        self._program = program
        self._listen: Listen | None = None
        self._by_name: dict[str, _Open] = {}

    def begin(self, listen: Listen) -> None:
        """Serve from now on, first what the daemon before this one had granted."""
        self._listen = listen
        now = self._clock.now()
        for grant in self._remembered():
            if grant.is_forgotten(now):
                continue
            try:
                self._put(grant)
            except NotListening as failure:
                log.warning("share_lost name=%s: %s", grant.name, failure)

    def grant(self, name: str, feeds: Sequence[str], for_s: float) -> ShareStatus:
        """Make the share, or renew it with these feeds and this life.

        Raises NoFeed, BadRequest, and Unavailable where there is no place for its socket, or where it holds
        for this daemon alone.
        """
        if self._listen is None:
            raise BadRequest("the system broker is shared by `allow` in its configuration")
        grant = granted(name, feeds, for_s, self._clock.now())
        for feed in feeds:
            self._check(feed)
        if name not in self._by_name:
            self._make_room()
        try:
            self._put(grant)
        except NotListening as failure:
            raise Unavailable(str(failure), hint=failure.hint or LOOK_ROUND) from None
        self._remember()
        log.info("shared name=%s feeds=%s ends=%s", name, ",".join(grant.feeds), grant.ends.wall)
        return self._status(self._by_name[name])

    def end(self, name: str) -> None:
        """End the share now; its socket stays to say so. Raises BadRequest where there is none, and
        Unavailable where it has ended for this daemon alone.
        """
        opened = self._by_name.get(name)
        if opened is None:
            raise BadRequest(f"there is no share called {name}", hint="brokerctl share --list")
        opened.grant = opened.grant.ended(self._clock.now())
        self._remember()
        log.info("share_ended name=%s", name)

    def present(self, name: str) -> Share:
        """What the share grants now. Raises NotAllowed on a connection that outlived it."""
        opened = self._by_name.get(name)
        if opened is None:
            raise NotAllowed(f"the share {name} ended long ago")
        grant = opened.grant
        feeds = tuple(filter(None, map(self._feed_named, grant.feeds)))
        return Share(name, feeds, grant.ends, self._owner, grant.renewal)

    def listed(self) -> tuple[ShareStatus, ...]:
        """Every share, those included that have ended and still say so."""
        return tuple(self._status(opened) for opened in self._by_name.values())

    def are_in_use(self) -> bool:
        """True while one of them has not ended: then there should be a daemon."""
        now = self._clock.now()
        return any(not opened.grant.ends.reached(now) for opened in self._by_name.values())

    def look(self) -> None:
        """Forget what ended long ago, and make anew a socket that was removed. Never raises."""
        now = self._clock.now()
        for name, opened in tuple(self._by_name.items()):
            if opened.grant.is_forgotten(now):
                self._take_away(name)
            elif not opened.share_listener.is_still_ours():
                log.warning("share_socket_lost name=%s", name)
                self._take_away(name)
                try:
                    self._put(opened.grant)
                except NotListening as failure:
                    log.warning("share_lost name=%s: %s", name, failure)

    def close(self) -> None:
        """Take the sockets away; the grants are remembered."""
        for name in tuple(self._by_name):
            self._take_away(name)

    def _make_room(self) -> None:
        """Forget the share that ended first where there is no place for one more; raises BadRequest."""
        if len(self._by_name) < MOST:
            return
        first = min(self._by_name, key=lambda name: self._by_name[name].grant.ends.wall)
        if not self._by_name[first].grant.ends.reached(self._clock.now()):
            raise BadRequest(f"there are {MOST} shares already", hint="brokerctl share --list")
        self._take_away(first)

    def _check(self, name: str) -> None:
        feed = self._feed_named(name)
        if feed is None:
            raise NoFeed(
                f"there is no feed called {name} in the configuration; one known by its address alone must "
                "be added first",
                hint="brokerctl add URL --name NAME",
            )
        if feed.scope != READ:
            raise BadRequest(f"{name} publishes, and a share gives read credentials only")

    def _put(self, grant: Grant) -> None:
        opened = self._by_name.get(grant.name)
        if opened is not None and opened.share_listener.is_still_ours():
            opened.grant = grant
            return
        if opened is not None:
            self._take_away(grant.name)
        assert self._listen is not None  # noqa: S101 - `begin` comes first
        share_listener = ShareListener.at(self._base / FOLDERS / grant.name)
        put_program(share_listener.path.parent, self._program)
        spec = ListenerSpec(
            share_listener.socket,
            ShareSocket(grant.name),
            admits=any_peer,
            see=peer_as_seen,
            connections=CONNECTIONS_PER_SHARE,
            per_user_s=REQUESTS_PER_SHARE_S,
            account_of=lambda _: self._owner,  # root in a container can be any uid
        )
        self._by_name[grant.name] = _Open(grant, share_listener, self._listen(spec))

    def _take_away(self, name: str) -> None:
        opened = self._by_name.pop(name)
        opened.acceptor.close()
        opened.share_listener.close()

    def _status(self, opened: _Open) -> ShareStatus:
        grant, now = opened.grant, self._clock.now()
        return ShareStatus(
            name=grant.name,
            feeds=grant.feeds,
            folder=str(opened.share_listener.path.parent),
            socket=str(opened.share_listener.path),
            state="ended" if grant.ends.reached(now) else "open",
            ends_at=grant.ends.wall,
            left_s=int(grant.ends.left_s(now)),
            renewal=grant.renewal,
        )

    def _remembered(self) -> list[Grant]:
        text = state_file.read(self._base / FOLDERS / MEMO)
        if text is None:
            return []
        try:
            return [from_record(record) for record in json.loads(text)][:MOST]
        except (ValueError, TypeError) as error:
            log.warning("shares_forgotten: %s", error)
            return []

    def _remember(self) -> None:
        """Write down what is granted now. Raises Unavailable."""
        memo = self._base / FOLDERS / MEMO
        records = [to_record(opened.grant) for opened in self._by_name.values()]
        try:
            state_file.write(memo, json.dumps(records))
        except OSError as error:
            reason = (error.strerror or "unknown error").lower()
            what = "it is done, and forgotten when the broker ends"
            raise Unavailable(f"{what}: {memo} cannot be written: {reason}") from None
