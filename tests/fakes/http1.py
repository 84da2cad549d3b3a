"""One HTTP/1.1 conversation on a line, and the answers a fake can give, bad ones included. A service
is a function from `Request` to `Answer`; it runs in its connection's own thread, so it may block.
Next: `loopback.py`, where lines come from.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

if TYPE_CHECKING:
    import threading

    from tests.fakes.loopback import Line

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """What a client asked. `path` is percent-decoded, `target` is as it stood on the wire."""

    method: str
    scheme: str
    host: str
    target: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False, default=b"")

    @property
    def path(self) -> str:
        """The path alone, percent-decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The query's names and values; of a name given twice, the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body read as a URL-encoded form."""
        return dict(parse_qsl(self.body.decode("ascii", "replace"), keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def basic(self) -> tuple[str, str] | None:
        """Username and password of Basic credentials; None without, or when they cannot be read."""
        scheme, _, blob = (self.header("authorization") or "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            username, colon, password = base64.b64decode(blob, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return (username, password) if colon else None

    @property
    def bearer(self) -> str | None:
        """The token of Bearer credentials."""
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


@dataclass(frozen=True)
class Response:
    """A whole and well-formed answer."""

    status: int
    body: bytes = b""
    headers: Headers = ()


@dataclass(frozen=True)
class Half:
    """The head and the first half of the body; then the line is cut."""

    response: Response


@dataclass(frozen=True)
class Silence:
    """Not one byte, until the client leaves or the fake stops."""


@dataclass(frozen=True)
class Reset:
    """The connection is reset without an answer."""


@dataclass(frozen=True)
class Held:
    """What `then` answers, as soon as a test sets `until`."""

    until: threading.Event
    then: Callable[[], Answer]


@dataclass(frozen=True)
class Drip:
    """A good answer, a byte a second, until a test sets `until`: then the rest at once."""

    response: Response
    until: threading.Event


Answer = Response | Half | Silence | Reset | Held | Drip
Service = Callable[[Request], Answer]


def json_response(status: int, content: object, headers: Headers = ()) -> Response:
    """`content` as a JSON answer."""
    return Response(status, json.dumps(content).encode(), (("Content-Type", "application/json"), *headers))


def html_response(status: int, page: str, headers: Headers = ()) -> Response:
    """`page` as an HTML answer."""
    return Response(status, page.encode(), (("Content-Type", "text/html; charset=utf-8"), *headers))


class Conversation:
    """The server's side of one connection. `host` is where the line was led to, where that is known;
    else the Host header of each request decides.
    """

    def __init__(self, line: Line, *, scheme: str, host: str | None = None) -> None:
        self._line = line
        self._scheme = scheme
        self._host = host
        self._protocol = h11.Connection(h11.SERVER)

    def next_request(self) -> Request | None:
        """The next whole request; None when the client is done, or speaks something else."""
        if self._protocol.our_state is h11.DONE:
            self._protocol.start_next_cycle()
        head: h11.Request | None = None
        body = bytearray()
        while True:
            try:
                event = self._next_event()
            except h11.RemoteProtocolError:
                return None
            match event:
                case h11.Request():
                    head = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage() if head is not None:
                    return self._read(head, bytes(body))
                case _:
                    return None

    def _next_event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
            self._protocol.receive_data(self._line.receive())
        return event

    def _read(self, head: h11.Request, body: bytes) -> Request:
        headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in head.headers)
        target = head.target.decode("latin-1")
        named = dict(headers).get("host", "")
        absolute = urlsplit(target) if target.startswith("http://") else None
        if absolute is not None:
            named, target = absolute.netloc, absolute._replace(scheme="", netloc="").geturl() or "/"
        host = self._host or (urlsplit(f"//{named}").hostname or "")
        return Request(head.method.decode("ascii"), self._scheme, host, target, headers, body)

    def give(self, request: Request, answer: Answer) -> bool:
        """Send the answer. True when the conversation can go on."""
        match answer:
            case Response():
                self._send_head(answer)
                if request.method != "HEAD":
                    self._send(h11.Data(data=answer.body))
                self._send(h11.EndOfMessage())
            case Half(response):
                self._send_head(response)
                self._send(h11.Data(data=response.body[: len(response.body) // 2]))
            case Silence():
                self._line.wait_for_leaving()
            case Reset():
                self._line.reset()
            case Held(until, then):
                self._line.wait_for(until)
                return self.give(request, then())
            case Drip(response, until):
                self._line.slow_down(until)
                return self.give(request, response)
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    def agree_to_connect(self) -> None:
        """Answer a CONNECT with 200: what follows is another protocol."""
        self._send(h11.Response(status_code=200, headers=[]))

    def _send_head(self, response: Response) -> None:
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        self._send(h11.Response(status_code=response.status, headers=headers))

    def _send(self, event: h11.Event) -> None:
        data = self._protocol.send(event)
        if data:
            self._line.send(data)


def converse(line: Line, service: Service, *, scheme: str, host: str | None = None) -> None:
    """Let `service` answer one request after another until either side ends it."""
    conversation = Conversation(line, scheme=scheme, host=host)
    while (request := conversation.next_request()) is not None:
        if not conversation.give(request, service(request)):
            return
