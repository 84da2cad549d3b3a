"""The accept loop: who may come in, and how many at once.

uvicorn's own (asyncio's) takes the whole backlog in one go and asks nobody's name. Here a stranger is turned
away before a byte of his is read, and when the house is full nobody is: callers wait in the kernel's backlog,
which costs nothing, until somebody leaves. Read `http_server.py` for what is said once a caller is in.
"""

import asyncio
import functools
import logging
import socket
from collections import defaultdict
from collections.abc import Callable

from broker.server.early_response import Accepted, EarlyResponder, Reply
from broker.server.limits import Limits
from broker.server.rate_limit import RateLimit
from broker.server.ucred import NOBODY, Peer, peer_as_seen, peer_of

BURST = 8
"""Callers let in before the loop looks after those who are already inside: in a flood of refused ones that is
a round of some 50 µs, where with 64 a member's look-up of several rounds took twice as long (measured)."""

RETRY_S = 1.0
"""Pause of accepting when the machine has no descriptor or memory left: asyncio's ACCEPT_RETRY_DELAY."""

ProtocolFactory = Callable[[Accepted, Callable[[], None]], asyncio.Protocol]
"""Makes the protocol for a caller; it calls its second argument when the connection is gone."""

log = logging.getLogger("broker.host.door")  # a name that users filter by


class Acceptor:
    """Lets peers in from a listening socket, which stays its owner's to close, but not before the Door.

    `see` tells who comes, `admits` judges them by uid and gid; `account_of` says which uids are one user's,
    and `pace` when its turn is. `reply` may answer callers on the doorstep, which has no pace; without it
    everybody gets a protocol. `close` and `wait_closed` are those of asyncio.Server, for uvicorn.
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
            else EarlyResponder(limits, reply=reply, inside=self._start_connection, leave=self._hang_up)
        )
        self._inside: dict[socket.socket, int] = {}  # whose each is
        self._by_user: defaultdict[int, int] = defaultdict(int)
        self._at_share: set[int] = set()
        self._arrivals: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._is_open = True
        self._is_accepting = False
        listening.setblocking(False)  # noqa: FBT003 - its signature
        self._accept_again()

    def close(self) -> None:
        """Let nobody in from now on; those inside stay."""
        self._is_open = False
        self._rest()
        if self._early is not None:
            self._early.close()

    async def wait_closed(self) -> None:
        """Return when everybody who was let in has been handed to a protocol."""
        await asyncio.gather(*self._arrivals, return_exceptions=True)

    def _accept_again(self) -> None:
        self._retry = None
        if self._is_open and not self._is_accepting:
            self._is_accepting = True
            self._loop.add_reader(self._listening, self._accept)

    def _rest(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._is_accepting:
            self._is_accepting = False
            self._loop.remove_reader(self._listening)

    def _accept(self) -> None:
        """Let waiting callers in until none waits, the house is full, or the burst is over."""
        for _ in range(BURST):
            if len(self._inside) >= self._limits.connections:
                log.warning("connections_full held=%d", len(self._inside))
                self._rest()
                return
            try:
                connection = self._take()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # out of descriptors or memory, and the socket stays readable: no tight loop
                log.warning("accept_paused reason=%s", error.strerror)
                self._rest()
                self._retry = self._loop.call_later(RETRY_S, self._accept_again)
                return
            self._admit(connection)

    def _take(self) -> socket.socket:
        """The next caller, as `accept()` returns one; that asks the listener anew each time what it is."""
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
            if user not in self._at_share:  # a flood is news once, and must cost next to nothing
                self._at_share.add(user)
                log.warning("refused_peer reason=share peer=%s", peer)
            connection.close()
            return
        self._inside[connection] = user
        self._by_user[user] += 1
        if self._early is not None:
            self._early.receive(connection, peer)
        else:
            self._start_connection(Accepted(connection, peer, self._loop.time()))

    def _start_connection(self, accepted: Accepted) -> None:
        accepted.connection.setblocking(False)  # noqa: FBT003 - its signature
        arrival = self._loop.create_task(self._attend(accepted))
        self._arrivals.add(arrival)
        arrival.add_done_callback(functools.partial(self._attended, accepted.connection))

    async def _attend(self, accepted: Accepted) -> None:
        connection, peer = accepted.connection, accepted.peer
        leave = functools.partial(self._leave, connection)
        if self._rate_limit is not None:
            # not read yet, so not seen to hang up: its place stays taken, and hanging up gains nobody a turn
            await self._rate_limit.wait(peer.uid)
            accepted = accepted._replace(arrived=self._loop.time())
        await self._loop.connect_accepted_socket(lambda: self._make_protocol(accepted, leave), connection)

    def _attended(self, connection: socket.socket, arrival: asyncio.Task[None]) -> None:
        self._arrivals.discard(arrival)
        error = None if arrival.cancelled() else arrival.exception()
        if error is not None:
            log.error("connection_failed", exc_info=error)
        if arrival.cancelled() or error is not None:
            self._hang_up(connection)

    def _hang_up(self, connection: socket.socket) -> None:
        connection.close()
        self._leave(connection)

    def _leave(self, connection: socket.socket) -> None:
        user = self._inside.pop(connection, None)
        if user is None:
            return
        self._by_user[user] -= 1
        self._at_share.discard(user)
        if not self._by_user[user]:
            del self._by_user[user]
        if self._retry is None:
            self._accept_again()


def _why_unknown(connection: socket.socket) -> str | None:
    """Why nothing is known of this peer, in a word for the log; None where somebody is."""
    peer = peer_as_seen(connection)
    if peer is None:
        return "unknown"
    if peer.uid == NOBODY:
        return "user-namespace"
    return "pid-namespace" if peer.pid <= 0 else None
