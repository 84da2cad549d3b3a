"""The accept loop: checks each peer's uid, and caps the connections held at once.

asyncio's own drains the backlog and checks no uid. We check the uid before reading a byte, and stop accepting
at the cap: further clients wait in the kernel's backlog, which costs nothing, until a connection closes.
`early_response.py` and `http_protocol.py` handle the accepted connections.
"""

import asyncio
import functools
import logging
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable

from broker.core.uids import UNMAPPED
from broker.server.early_response import Accepted, EarlyResponder, Reply
from broker.server.limits import Limits
from broker.server.rate_limit import RateLimit
from broker.server.ucred import Peer, peer_as_seen, peer_of

BURST = 8
"""Connections accepted before the loop serves the open ones: in a flood of refused ones that is a round of
some 50 µs, where with 64 a permitted user's look-up of several rounds took twice as long (measured)."""

RETRY_S = 1.0
"""Pause of accepting when the machine has no descriptor or memory left: asyncio's ACCEPT_RETRY_DELAY."""

ProtocolFactory = Callable[[Accepted, Callable[[], None]], Awaitable[asyncio.Protocol]]
"""Makes the protocol of an accepted connection; that calls the second argument when it is lost."""

log = logging.getLogger("broker.host.door")  # a name that users filter by


class Acceptor:
    """Accepts connections from a listening socket, which its owner closes after closing the Acceptor.

    `see` returns the peer of a connection, `admits` decides by its uid and gid; `account_of` maps the uids of
    one user to one number, and `rate_limit` delays a user's requests. `reply` may answer early, which is not
    rate-limited; without it every connection gets a protocol.
    """

    def __init__(
        self,
        listening: socket.socket,
        limits: Limits,
        *,
        admits: Callable[[Peer], bool],
        make_protocol: ProtocolFactory,
        reply: Reply | None = None,
        rate_limit: RateLimit | None = None,
        see: Callable[[socket.socket], Peer | None] = peer_of,
        account_of: Callable[[int], int] = lambda uid: uid,
    ) -> None:
        self._listening = listening
        self._kind = listening.family, listening.type, listening.proto
        self._limits = limits
        self._admits = admits
        self._make_protocol = make_protocol
        self._rate_limit = rate_limit
        self._see = see
        self._account_of = account_of
        self._loop = asyncio.get_running_loop()
        self._early = (
            None
            if reply is None
            else EarlyResponder(limits, reply=reply, start=self._start_connection, leave=self._hang_up)
        )
        self._held: dict[socket.socket, int] = {}  # and the user of each
        self._by_user: defaultdict[int, int] = defaultdict(int)
        self._at_share: set[int] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()  # once it is closed
        self._is_open = True
        self._is_accepting = False
        listening.setblocking(False)  # noqa: FBT003 - its signature
        self._accept_again()

    @property
    def held(self) -> int:
        """How many connections are open."""
        return len(self._held)

    @property
    def is_over(self) -> bool:
        """True when it was closed and has no open connection."""
        return not self._is_open and not self._held

    def close(self) -> None:
        """Accept no more connections; those that have sent something stay open until they are answered."""
        self._is_open = False
        self._pause()
        if self._early is not None:
            self._early.close()
        if not self._held:
            self._emptied.set()

    async def wait_closed(self) -> None:
        """Return when it was closed and no connection is open."""
        await self._emptied.wait()

    def _accept_again(self) -> None:
        self._retry = None
        if self._is_open and not self._is_accepting:
            self._is_accepting = True
            self._loop.add_reader(self._listening, self._accept)

    def _pause(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._is_accepting:
            self._is_accepting = False
            self._loop.remove_reader(self._listening)

    def _accept(self) -> None:
        """Accept until the backlog is empty, the cap is reached, or the burst is over."""
        for _ in range(BURST):
            if len(self._held) >= self._limits.connections:
                log.warning("connections_full held=%d", len(self._held))
                self._pause()
                return
            try:
                connection = self._take()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # out of descriptors or memory, and the socket stays readable: no tight loop
                log.warning("accept_paused reason=%s", error.strerror)
                self._pause()
                self._retry = self._loop.call_later(RETRY_S, self._accept_again)
                return
            self._admit(connection)

    def _take(self) -> socket.socket:
        """The next connection. `socket.accept()` would ask the listener for its family and type each time."""
        descriptor, _ = self._listening._accept()  # type: ignore[attr-defined] # noqa: SLF001 - accept() of C
        return socket.socket(*self._kind, descriptor)

    def _admit(self, connection: socket.socket) -> None:
        peer = self._see(connection)
        if peer is None or not self._admits(peer):
            log.warning("refused_peer reason=%s peer=%s", _why_unknown(connection) or "user", peer)
            connection.close()
            return
        user = self._account_of(peer.uid)
        if self._limits.per_user is not None and self._by_user[user] >= self._limits.per_user:
            if user not in self._at_share:  # a flood is logged once, and must cost next to nothing
                self._at_share.add(user)
                log.warning("refused_peer reason=share peer=%s", peer)
            connection.close()
            return
        self._held[connection] = user
        self._by_user[user] += 1
        if self._early is not None:
            self._early.receive(connection, peer)
        else:
            self._start_connection(Accepted(connection, peer, self._loop.time()))

    def _start_connection(self, accepted: Accepted) -> None:
        accepted.connection.setblocking(False)  # noqa: FBT003 - its signature
        start = self._loop.create_task(self._make_connection(accepted))
        self._starting.add(start)
        start.add_done_callback(functools.partial(self._started, accepted.connection))

    async def _make_connection(self, accepted: Accepted) -> None:
        connection, peer = accepted.connection, accepted.peer
        leave = functools.partial(self._leave, connection)
        if self._rate_limit is not None:
            # unread, so a client that hangs up is not noticed: it keeps its place and gains no turn by that
            await self._rate_limit.wait(peer.uid)
        protocol = await self._make_protocol(accepted, leave)
        await self._loop.connect_accepted_socket(lambda: protocol, connection)

    def _started(self, connection: socket.socket, start: asyncio.Task[None]) -> None:
        self._starting.discard(start)
        error = None if start.cancelled() else start.exception()
        if error is not None:
            log.error("connection_failed", exc_info=error)
        if start.cancelled() or error is not None:
            self._hang_up(connection)

    def _hang_up(self, connection: socket.socket) -> None:
        connection.close()
        self._leave(connection)

    def _leave(self, connection: socket.socket) -> None:
        user = self._held.pop(connection, None)
        if user is None:
            return
        self._by_user[user] -= 1
        self._at_share.discard(user)
        if not self._by_user[user]:
            del self._by_user[user]
        if self._retry is None:
            self._accept_again()
        if self.is_over:
            self._emptied.set()


def _why_unknown(connection: socket.socket) -> str | None:
    """Why the peer is unknown, in a word for the log; None where it is known."""
    peer = peer_as_seen(connection)
    if peer is None:
        return "unknown"
    if peer.uid == UNMAPPED:
        return "user-namespace"
    return "pid-namespace" if peer.pid <= 0 else None
