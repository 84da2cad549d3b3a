"""Listening on loopback: each connection is attended in a thread of its own, and leaving the context
ends and joins every thread, whatever its client does. Nothing else in the fakes opens a socket.
Next: `connect_proxy.py`, which leads lines to fakes.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Self

from tests.fakes.http1 import Service, converse

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LOOPBACK = "127.0.0.1"
BACKLOG = 512  # uv opens up to 50 connections at once; several clients run beside each other
CHUNK_BYTES = 65536
JOIN_S = 5.0  # a thread that outlives its hung-up line by this much is a defect of the fake
DRIP_S = 1.0
GLANCE_S = 0.02  # how often a held answer looks whether its line was hung up
_LINGER_NOT = struct.pack("ii", 1, 0)  # closing sends RST


class Line:
    """One accepted connection, plain at first. One thread talks on it; any thread may hang it up."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._tap: Callable[[bytes], None] | None = None
        self._slow_until: threading.Event | None = None
        self._changing = threading.Lock()
        self._hung_up = threading.Event()

    def receive(self) -> bytes:
        """The next bytes; empty at the end."""
        received = self._socket.recv(CHUNK_BYTES)
        if self._tap is not None:
            self._tap(received)
        return received

    def send(self, content: bytes) -> None:
        """Send all of `content`."""
        if self._slow_until is None:
            self._socket.sendall(content)
            return
        for number in range(len(content)):
            self._socket.sendall(content[number : number + 1])
            if self._hung_up.is_set():
                raise ConnectionAbortedError
            self._slow_until.wait(DRIP_S)

    def slow_down(self, until: threading.Event) -> None:
        """From now on send a byte a second, until the event is set."""
        self._slow_until = until

    def tap(self, tap: Callable[[bytes], None]) -> None:
        """From now on show `tap` every byte that is received."""
        self._tap = tap

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on. Raises ssl.SSLError or OSError when the client does not agree."""
        # wrap_socket of CPython 3.11 leaves a line open that was reset before it
        self._socket.recv(1, socket.MSG_PEEK)
        with self._changing:
            # the handshake waits for the client: outside the lock, or nobody could hang up meanwhile
            self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        assert isinstance(self._socket, ssl.SSLSocket)
        self._socket.do_handshake()

    def wait_for_leaving(self) -> None:
        """Return when the client has closed its side, or the line was hung up."""
        while self.receive():
            pass

    def wait_for(self, event: threading.Event) -> None:
        """Return when the event is set. Raises ConnectionAbortedError when the line is hung up before."""
        while not event.wait(GLANCE_S):
            if self._hung_up.is_set():
                raise ConnectionAbortedError

    def reset(self) -> None:
        """Close with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._socket.close()

    def hang_up(self) -> None:
        """Wake whoever talks on this line with its end."""
        self._hung_up.set()
        with self._changing, contextlib.suppress(OSError):
            # SSLSocket.shutdown would pull the TLS state from under the reading thread
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back; by its own thread only."""
        with self._changing:
            self._socket.close()


class Loopback:
    """A listening port whose lines are given to `attend`. A context manager; start and end are complete
    when entering and leaving return.
    """

    def __init__(self, attend: Callable[[Line], None], name: str) -> None:
        self._attend = attend
        self._name = name
        self._listener: socket.socket
        self._closing = threading.Event()
        self._lines: list[tuple[threading.Thread, Line]] = []
        self._doorkeeper = threading.Thread(target=self._accept, name=f"{name} door")

    @property
    def port(self) -> int:
        """The port on loopback."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._listener = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
        self._doorkeeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):  # wakes accept() on every system; closing the socket does not
            socket.create_connection((LOOPBACK, self.port), timeout=JOIN_S).close()
        self._doorkeeper.join(JOIN_S)
        self._listener.close()
        for _, line in self._lines:
            line.hang_up()
        for thread, _ in self._lines:
            thread.join(JOIN_S)
        threads = (self._doorkeeper, *(thread for thread, _ in self._lines))
        alive = [thread.name for thread in threads if thread.is_alive()]
        if alive:
            raise RuntimeError(f"{self._name} did not end: {', '.join(alive)}")

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._closing.is_set():
                connection.close()
                return
            line = Line(connection)
            thread = threading.Thread(target=self._serve, args=(line,), name=f"{self._name} line")
            thread.start()
            self._lines = [(one, its) for one, its in self._lines if one.is_alive()] + [(thread, line)]

    def _serve(self, line: Line) -> None:
        try:
            # a client that leaves early is a client's right; anything else is for pytest to report
            with contextlib.suppress(OSError):
                self._attend(line)
        finally:
            line.close()


class WebServer(Loopback):
    """A service on its own loopback port, over plain HTTP or, with a TLS context, HTTPS."""

    def __init__(self, service: Service, name: str = "web", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._talk, name)
        self._service = service
        self._tls = tls

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a final slash."""
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    def _talk(self, line: Line) -> None:
        if self._tls is not None:
            line.secure(self._tls)
        converse(line, self._service, scheme="https" if self._tls else "http")
