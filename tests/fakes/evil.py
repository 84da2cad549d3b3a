"""A host that wants credentials: it takes whatever comes, keeps every byte, and can answer anything.
Route it under any name; a hostile-feed test ends by asking what it got.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.fakes.http1 import Answer, Request, json_response
from tests.fakes.journal import Journal

if TYPE_CHECKING:
    from tests.fakes.connect_proxy import ConnectProxy

GREED = json_response(200, {"token": "stolen", "access_token": "stolen", "expires_in": 3600})


class EvilHost:
    """A service. `authorizations` holds every Authorization header, `received` every byte behind TLS."""

    def __init__(self, answer: Answer = GREED) -> None:
        self.answer = answer
        self.requests: Journal[Request] = Journal()
        self._received = bytearray()
        self._receiving = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        self.requests.add(request)
        return self.answer

    def attach(self, proxy: ConnectProxy, *patterns: str) -> None:
        """Take over every host that matches; without a pattern, every host that nobody else has."""
        for pattern in patterns or ("*",):
            proxy.route(pattern, self, tap=self._take)

    @property
    def authorizations(self) -> list[str]:
        """The Authorization headers that came, in order."""
        return [
            value for request in self.requests for key, value in request.headers if key == "authorization"
        ]

    @property
    def received(self) -> bytes:
        """Every byte that came."""
        with self._receiving:
            return bytes(self._received)

    def got(self, *secrets: str) -> bool:
        """Whether one of the secrets is anywhere in what came, be it inside Basic credentials."""
        came = self.received.decode("latin-1")
        came += "".join(repr((request.target, request.headers, request.body)) for request in self.requests)
        came += "".join(":".join(request.basic) for request in self.requests if request.basic is not None)
        return any(secret in came for secret in secrets)

    def _take(self, received: bytes) -> None:
        with self._receiving:
            self._received += received
