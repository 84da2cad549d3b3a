"""A broker that says what a test has written down, over a real Unix socket in a directory of its own."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Answer = tuple[int, Any]


@dataclass
class StandInBroker:
    """`answers` by "METHOD /path": a status with an object, raw bytes or an iterator of what is streamed, or
    a function of the query that makes them; `headers` are what such an answer has beside its length. `asked`
    is every request in order, `queries` its parameters.
    """

    path: Path
    answers: dict[str, Answer | Callable[[dict[str, str]], Answer]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        self._server = _Server(str(self.path), _Conversation)
        self._server.script = self
        self.path.chmod(0o600)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.path.unlink(missing_ok=True)

    def answer(self, method: str, target: str) -> Answer:
        """What the script says to one request; 404 to what it does not mention."""
        split = urlsplit(target)
        query = dict(parse_qsl(split.query))
        self.asked.append(f"{method} {split.path}")
        self.queries.append(query)
        said = self.answers.get(f"{method} {split.path}", problem(404, "no-feed", "not in the script"))
        return said(query) if callable(said) else said


def problem(
    status: int, kind: str, detail: str, *, hint: str | None = None, feed: str | None = None
) -> Answer:
    """A problem as the API writes it."""
    return status, {
        "type": kind,
        "title": kind,
        "status": status,
        "detail": detail,
        "hint": hint,
        "feed": feed,
    }


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    script: StandInBroker


class _Conversation(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        with contextlib.suppress(ConnectionError):  # whoever asked may have hung up
            self._say()

    def _say(self) -> None:
        status, said = self.server.script.answer(self.command, self.path)
        if isinstance(said, Iterator):
            self._stream(status, said)
            return
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        told = self.server.script.headers.get(f"{self.command} {urlsplit(self.path).path}", {})
        for name, value in {**told, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, status: int, parts: Iterator[bytes]) -> None:
        self.send_response(status)
        self.end_headers()
        for part in parts:
            self.wfile.write(part)

    do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name for it
        """Tests read `asked` instead."""
