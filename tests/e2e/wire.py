"""The socket API as curl would speak it: the bytes of one request on a fresh connection, and the answer.

Knows nothing of the client under test: a request is exactly what the test says, mistakes included.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from tests.e2e.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

JSON = "application/json"
TEXT = "text/plain"


@dataclass(frozen=True)
class Answer:
    """What came back; header names are lower case. The body may hold a password and does not print."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the route answers; each test says what it expects
        """The body, which must be JSON."""
        return json.loads(self.body)

    @property
    def password(self) -> str:
        """The password of a look-up that was answered; a refusal is told in its own words."""
        assert self.status == 200, f"{self.status}: {self.text}"
        password: str = self.json["password"]
        return password

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def kind(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0]


class Wire:
    """The broker's socket. Every call is a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self) -> socket.socket:
        """A connection; raises OSError when nobody listens."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE_S)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        return connection

    def send(self, method: str, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """One request with these headers and no others; the honest ones by default."""
        with self.connect() as connection:
            connection.sendall(request_bytes(method, target, headers))
            return read_answer(connection)

    def get(self, target: str, *, accept: str = JSON, **query: str) -> Answer:
        """GET, with the query's values encoded."""
        asked = f"{target}?{urlencode(query)}" if query else target
        return self.send("GET", asked, {"Host": "broker", "Accept": accept})

    def post(self, target: str) -> Answer:
        """POST without a body, as every order is."""
        return self.send("POST", target)

    def look_up(self, url: str, *, accept: str = JSON, **query: str) -> Answer:
        """The credential for a URL."""
        return self.get("/v1/credential", accept=accept, url=url, **query)

    def status(self) -> Any:  # noqa: ANN401 - the object of the contract's section 6
        """The daemon's status."""
        answer = self.get("/v1/status")
        assert answer.status == 200, answer
        return answer.json

    def feed(self, name: str) -> Any:  # noqa: ANN401 - one of that object's feeds
        """One feed of the status."""
        return next(feed for feed in self.status()["feeds"] if feed["name"] == name)

    def serves(self) -> bool:
        """Whether somebody answers."""
        try:
            return self.get("/v1/health").status == 200
        except (OSError, http.client.HTTPException):
            return False


class Events:
    """A stream of the daemon's events, open until the context is left. Entered, it misses nothing more."""

    def __init__(self, wire: Wire) -> None:
        self._connection = wire.connect()
        self._connection.sendall(request_bytes("GET", "/v1/events"))
        self._response = http.client.HTTPResponse(self._connection)

    def __enter__(self) -> Self:
        self._response.begin()
        self._response.readline()  # the comment that says: listening
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Each event's name and data, as it comes, until the stream ends. Raises TimeoutError after a while:
        heartbeats alone would go on for ever.
        """
        name = ""
        deadline = time.monotonic() + PATIENCE_S
        for line in self._response:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no more events after {PATIENCE_S:.0f} s")
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)


def request_bytes(method: str, target: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A request as it goes over the wire."""
    fields = {"Host": "broker"} if headers is None else headers
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read_answer(connection: socket.socket) -> Answer:
    """The whole answer. Raises http.client.HTTPException or OSError when there is none."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        response.close()
