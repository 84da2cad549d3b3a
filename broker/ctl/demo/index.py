"""The demo's package index: real HTTP on loopback, and no page or file without a token that is still alive.

`/token` answers a request that carries the sign-in secret with a token, as a cloud does after a sign-in.
"""

import base64
import hmac
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Self

from broker.core.moment import Moment
from broker.ctl.demo.wheel import PROJECT, Wheel, made
from broker.host.clock import SystemClock

USERNAME = "demo"
LOOPBACK = "127.0.0.1"


@dataclass
class DemoIndex:
    """An index whose tokens live `life_s` seconds. `issued` has the moment of each, in order."""

    life_s: float
    sign_in_secret: str = field(default_factory=secrets.token_urlsafe, repr=False)
    issued: list[Moment] = field(default_factory=list)
    wheel: Wheel = field(default_factory=made)
    port: int = 0
    _tokens: dict[str, Moment] = field(default_factory=dict, repr=False)

    @property
    def origin(self) -> str:
        """The address of this index, while it is `serving`."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """What uv gets as its index."""
        return f"{self.origin}/simple/"

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """While in it, the index answers at a free port."""
        with ThreadingHTTPServer((LOOPBACK, 0), partial(_Conversation, self)) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def token_for(self, secret: str) -> dict[str, str] | None:
        """A new token, in the form that the `command` provider reads; None for a wrong secret."""
        if not hmac.compare_digest(secret.encode(), self.sign_in_secret.encode()):
            return None
        now = SystemClock().now()
        token = f"demo-{secrets.token_urlsafe(24)}"
        self._tokens[token] = ends = now.after(self.life_s)
        self.issued.append(now)
        return {"username": USERNAME, "password": token, "expires_at": ends.wall.isoformat()}

    def accepts(self, authorization: str) -> bool:
        """True for HTTP Basic with a token of ours that has not ended."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            _, _, token = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return False
        ends = self._tokens.get(token)
        return scheme.lower() == "basic" and ends is not None and not ends.reached(SystemClock().now())

    def page(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body of what the index has at `path` (PEP 503)."""
        file = f"/simple/{PROJECT}/{self.wheel.filename}"
        match path:
            case "/simple/":
                return "text/html", f'<a href="{PROJECT}/">{PROJECT}</a>'.encode()
            case _ if path == f"/simple/{PROJECT}/":
                return (
                    "text/html",
                    f'<a href="{file}#sha256={self.wheel.sha256}">{self.wheel.filename}</a>'.encode(),
                )
            case _ if path == file:
                return "application/octet-stream", self.wheel.content
        return None


class _Conversation(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 10.0

    def __init__(
        self, index: DemoIndex, line: socket, client: tuple[str, int], server: ThreadingHTTPServer
    ) -> None:
        self.index = index
        super().__init__(line, client, server)  # which attends to the whole connection

    def handle(self) -> None:
        """All requests of the connection; a client that goes away ends it, and nothing is printed."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """A page or a file, for a request with a token."""
        if not self.index.accepts(self.headers.get("Authorization", "")):
            self._send(HTTPStatus.UNAUTHORIZED, "text/plain", b"a token, please\n")
        elif (found := self.index.page(self.path)) is not None:
            self._send(HTTPStatus.OK, *found)
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not here\n")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def do_POST(self) -> None:
        """A token, for a request with the sign-in secret."""
        scheme, _, secret = self.headers.get("Authorization", "").partition(" ")
        token = self.index.token_for(secret) if self.path == "/token" and scheme == "Bearer" else None
        if token is None:
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"wrong sign-in secret\n")
        else:
            self._send(HTTPStatus.OK, "application/json", json.dumps(token).encode())

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="demo"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name for it
        """Log nothing: the demo prints what happens itself."""
