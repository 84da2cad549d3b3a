"""A broker that does what a test tells it to, on a Unix socket: the other end of every look-up here.

`ScriptedBroker` takes one step of its script for each connection, the last step again and again, and
keeps what it was asked. Steps are made by `answers`, `sends`, `hangs_up`, `resets`, `hangs` and `trickles`.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

REQUEST_BYTES = 65536


@dataclass(frozen=True)
class Request:
    """One request as it came in: `text` with its headers, undecoded otherwise."""

    text: str

    @property
    def target(self) -> str:
        return self.text.split(" ", 2)[1]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.text.split("\r\n\r\n")[0].split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def whole(self) -> bool:
        _, end, body = self.text.partition("\r\n\r\n")
        return bool(end) and len(body) == int(self.headers.get("content-length", "0"))

    @property
    def query(self) -> dict[str, str]:
        """The parameters, each of which must come once; undecodable bytes become surrogates."""
        query = urlsplit(self.target).query
        found = parse_qs(query, keep_blank_values=True, strict_parsing=True, errors="surrogateescape")
        assert all(len(values) == 1 for values in found.values()), query
        return {name: values[0] for name, values in found.items()}


@dataclass(frozen=True)
class Step:
    """What to do with one connection: read the request or not, then act."""

    act: Callable[[socket.socket, threading.Event], None]
    reads: bool = True


def answers(status: int, body: str | bytes, reason: str = "Whatever") -> Step:
    """Answer as the daemon does: a status line, Content-Length, the body."""
    content = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain\r\ncontent-length: {len(content)}\r\n\r\n"
    return sends(head.encode() + content)


def credential(username: str, password: str) -> Step:
    """Answer with the two lines of a credential."""
    return answers(200, f"{username}\n{password}\n")


def sends(content: bytes, *, piece_bytes: int = REQUEST_BYTES) -> Step:
    """Send `content`, a piece at a time, and close."""

    def act(connection: socket.socket, _: threading.Event) -> None:
        for start in range(0, len(content), piece_bytes):
            connection.sendall(content[start : start + piece_bytes])

    return Step(act)


def hangs(content: bytes = b"") -> Step:
    """Send `content` and then nothing more, until the test is over."""

    def act(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(content)
        over.wait()

    return Step(act)


def trickles() -> Step:
    """Send a head that has no end, a byte at a time, each before the peer could think that none will come."""

    def act(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        while not over.wait(0.01):
            connection.sendall(b"y")

    return Step(act)


def hangs_up() -> Step:
    """Read the request and close: the peer sees the end of the stream."""
    return Step(lambda _connection, _over: None)


def resets() -> Step:
    """Close with the request unread: the peer sees a reset."""

    def act(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(1, socket.MSG_PEEK)  # it must have come for its loss to be a reset

    return Step(act, reads=False)


@dataclass
class ScriptedBroker:
    """Serves `script` at `path`, which it binds with mode 0600. A context manager.

    `requests` has what was asked, in order; `connections` counts also those that asked nothing.
    """

    path: Path
    script: list[Step] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def will(self, *steps: Step) -> Self:
        """Set the script: a step for each connection to come, the last one for all that follow."""
        self.script = list(steps)
        return self

    def __enter__(self) -> Self:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        made = self.path.with_name(f"{self.path.name[:-1]}~")
        self._listening.bind(os.fspath(made))
        made.chmod(0o600)
        self._listening.listen(128)
        made.rename(self.path)  # a shim may be looking for it already
        self._over = threading.Event()
        self._bell, self._ear = socket.socketpair()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._bell.close()
        for thread in self._threads:
            thread.join()
        self._ear.close()
        self._listening.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._listening, self._ear], [], [])
            if self._ear in ready:
                return
            connection, _ = self._listening.accept()
            self.connections += 1
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            thread = threading.Thread(target=self._attend, args=(connection, step))
            self._threads.append(thread)
            thread.start()

    def _attend(self, connection: socket.socket, step: Step) -> None:
        with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if step.reads:
                text = b""
                while not Request(text.decode("ascii")).whole:
                    part = connection.recv(REQUEST_BYTES)
                    if not part:
                        return
                    text += part
                self.requests.append(Request(text.decode("ascii")))
            step.act(connection, self._over)
