"""Answers a connection's first request before a protocol is made for it: most connections need none.

A look-up is one small request and one small answer. Where `reply` has the answer at once, both cost a
system call each here; a protocol's transport, parser and task cost twenty times that (measured). An answer
that takes a fetch is waited for. Every other request goes to a protocol, which receives the bytes read so far
as if they had just arrived.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from broker.server.limits import Limits
from broker.server.ucred import Peer

WHOLE_BYTES_MAX = 32768
"""The longest answer given here: Linux takes this much in one piece, so all of it or nothing
(UNIX_SKB_FRAGS_SZ of net/unix/af_unix.c). Elsewhere an answer of some kB fits into the buffer's 8 kB."""

Answer = tuple[bytes, Callable[[], object]]
"""The whole answer, and what to run after sending it, which delays no client."""

Reply = Callable[[bytes, Peer], Answer | Coroutine[Any, Any, Answer] | None]
"""From a peer's first bytes: the answer, at once or later, or None where a protocol is to find it."""


class Accepted(NamedTuple):
    """An accepted connection, its peer, when it was accepted (the loop's time), and the bytes read so far."""

    connection: socket.socket
    peer: Peer
    arrived: float
    received: bytes = b""


class EarlyResponder:
    """Reads first requests: a connection that `reply` can answer goes to `leave`, any other to `start`.

    `leave` closes it.
    """

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
        self._unanswered: set[socket.socket] = set()
        self._answering: set[asyncio.Task[None]] = set()

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
        connection = accepted.connection
        try:
            reply = self._reply(received, accepted.peer) if received else None
            is_done = not received or (isinstance(reply, tuple) and _is_sent(connection, reply))
        except BaseException:
            self._leave(connection)  # a defect costs this connection, and no other
            raise
        if is_done:
            self._leave(connection)
            return
        accepted = accepted._replace(received=received)
        if reply is None or isinstance(reply, tuple):
            self._start(accepted)
            return
        self._unanswered.add(connection)
        self._loop.add_reader(connection, self._look, connection)
        task = self._loop.create_task(self._answer(accepted, reply))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, accepted: Accepted, coming: Coroutine[Any, Any, Answer]) -> None:
        """Send what is coming, to a client that may have hung up by then."""
        connection = accepted.connection
        try:
            answer = await coming
        except BaseException:
            if self._is_there(connection):
                self._leave(connection)
            raise
        if not self._is_there(connection):
            answer[1]()
        elif _is_sent(connection, answer):
            self._leave(connection)
        else:
            self._start(accepted)

    def _look(self, connection: socket.socket) -> None:
        """A client that waits has hung up, or says more than is answered."""
        try:
            is_gone = not connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            is_gone = True
        self._loop.remove_reader(connection)
        if is_gone:
            self._unanswered.discard(connection)
            self._leave(connection)

    def _is_there(self, connection: socket.socket) -> bool:
        """True where the client still waits, which is no longer watched then."""
        if connection not in self._unanswered:
            return False
        self._unanswered.discard(connection)
        self._loop.remove_reader(connection)
        return True


def _is_sent(connection: socket.socket, answer: Answer) -> bool:
    """Send the whole answer, and run what follows it; False where a protocol has to send it in pieces."""
    written, afterwards = answer
    if len(written) > WHOLE_BYTES_MAX:
        return False
    try:
        connection.send(written, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        pass  # the client did not wait for it
    afterwards()
    return True
