"""Answers a connection's first request before a protocol is made for it: most connections need none.

A look-up is one small request and one small answer. Where `reply` has the answer at once, both cost a
system call each here; a protocol's transport, parser and task cost twenty times that (measured). Every other
request goes to a protocol, which receives the bytes read so far as if they had just arrived.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple

from broker.server.limits import Limits
from broker.server.ucred import Peer

WHOLE_BYTES_MAX = 32768
"""The longest answer given here: Linux takes this much in one piece, so all of it or nothing
(UNIX_SKB_FRAGS_SZ of net/unix/af_unix.c). Elsewhere an answer of some kB fits into the buffer's 8 kB."""

Reply = Callable[[bytes, Peer], tuple[bytes, Callable[[], object]] | None]
"""From a peer's first bytes: the whole answer and what to run after sending it, which delays no client; or
None where the answer is not at hand."""


class Accepted(NamedTuple):
    """An accepted connection, its peer, when it was accepted (the loop's time), and the bytes read so far."""

    connection: socket.socket
    peer: Peer
    arrived: float
    received: bytes = b""


class EarlyResponder:
    """Reads first requests: a connection that `reply` can answer goes to `leave`, any other to `start`."""

    def __init__(
        self,
        limits: Limits,
        *,
        reply: Reply,
        start: Callable[[Accepted], None],
        leave: Callable[[socket.socket], None],
    ) -> None:
        self._limits = limits
        self._reply = reply
        self._start = start
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}

    def receive(self, connection: socket.socket, peer: Peer) -> None:
        """Read a connection that was just accepted: now, or as soon as it has sent something."""
        accepted = Accepted(connection, peer, self._loop.time())
        received = self._bytes_from(connection)
        if received is not None:
            self._respond(accepted, received)
            return
        deadline = self._loop.call_at(accepted.arrived + self._limits.request_s, self._drop, connection)
        self._waiting[connection] = deadline
        self._loop.add_reader(connection, self._read, accepted)

    def close(self) -> None:
        """Drop the connections that have sent nothing."""
        for connection in tuple(self._waiting):
            self._drop(connection)

    def _read(self, accepted: Accepted) -> None:
        received = self._bytes_from(accepted.connection)
        if received is not None:
            self._stop_waiting(accepted.connection)
            self._respond(accepted, received)

    def _drop(self, connection: socket.socket) -> None:
        self._stop_waiting(connection)
        self._leave(connection)

    def _stop_waiting(self, connection: socket.socket) -> None:
        self._loop.remove_reader(connection)
        self._waiting.pop(connection).cancel()

    def _bytes_from(self, connection: socket.socket) -> bytes | None:
        """What has arrived by now; b"" when the client hung up, None when nothing has arrived yet."""
        try:
            return connection.recv(self._limits.request_bytes, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def _respond(self, accepted: Accepted, received: bytes) -> None:
        try:
            is_done = not received or self._is_answered(accepted, received)
        except BaseException:
            self._leave(accepted.connection)  # a defect costs this connection, and no other
            raise
        if is_done:
            self._leave(accepted.connection)
        else:
            self._start(accepted._replace(received=received))

    def _is_answered(self, accepted: Accepted, received: bytes) -> bool:
        reply = self._reply(received, accepted.peer)
        if reply is None or len(reply[0]) > WHOLE_BYTES_MAX:
            return False
        answer, afterwards = reply
        try:
            accepted.connection.send(answer, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            pass  # the client did not wait for it
        afterwards()
        return True
