"""Where a caller is heard before a protocol is made for him: most need none.

A look-up is one small request and one small answer. Where `reply` has the answer at once, both cost a
system call each here; the transport, parser and task of the long way cost twenty times that (measured).
Everybody else goes that way, and the protocol hears his words as if they had just arrived.
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
"""The whole answer to what a peer said first, and what is to be done when it was given, which need not keep
the caller waiting; or None where the answer takes more than a moment to find."""


class Accepted(NamedTuple):
    """Who was let in, when (the loop's time), and what he has said by now."""

    connection: socket.socket
    peer: Peer
    arrived: float
    received: bytes = b""


class EarlyResponder:
    """Hears callers out: those whom `reply` can answer `leave` at once, the others are shown `inside`."""

    def __init__(
        self,
        limits: Limits,
        *,
        reply: Reply,
        inside: Callable[[Accepted], None],
        leave: Callable[[socket.socket], None],
    ) -> None:
        self._limits = limits
        self._reply = reply
        self._inside = inside
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}

    def receive(self, connection: socket.socket, peer: Peer) -> None:
        """Hear a caller who has just been let in: now, or as soon as he speaks."""
        accepted = Accepted(connection, peer, self._loop.time())
        received = self._words_of(connection)
        if received is not None:
            self._respond(accepted, received)
            return
        deadline = self._loop.call_at(accepted.arrived + self._limits.request_s, self._dismiss, connection)
        self._waiting[connection] = deadline
        self._loop.add_reader(connection, self._listen, accepted)

    def close(self) -> None:
        """Dismiss those who have not said a word."""
        for connection in tuple(self._waiting):
            self._dismiss(connection)

    def _listen(self, accepted: Accepted) -> None:
        received = self._words_of(accepted.connection)
        if received is not None:
            self._stop_waiting(accepted.connection)
            self._respond(accepted, received)

    def _dismiss(self, connection: socket.socket) -> None:
        self._stop_waiting(connection)
        self._leave(connection)

    def _stop_waiting(self, connection: socket.socket) -> None:
        self._loop.remove_reader(connection)
        self._waiting.pop(connection).cancel()

    def _words_of(self, connection: socket.socket) -> bytes | None:
        """What a caller has said by now; nothing when he has left, None when he may still speak."""
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
            self._leave(accepted.connection)  # a defect costs its caller the connection, and nobody else
            raise
        if is_done:
            self._leave(accepted.connection)
        else:
            self._inside(accepted._replace(received=received))

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
            pass  # he did not wait for it
        afterwards()
        return True
