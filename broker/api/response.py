"""What a look-up is answered: one value, written to the socket as it is or handed to FastAPI.

Loads nothing of FastAPI by itself: most daemons answer look-ups all their life and nothing else.
"""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from fastapi.responses import Response

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"

_LINE = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class LookupResponse(NamedTuple):
    """Status, media type, body, and what other headers it has."""

    status: int
    kind: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()

    def written(self) -> bytes:
        """The answer as bytes, the last on its connection: what uvicorn writes, to the byte."""
        body = self._body()
        return f"{_LINE[self.status]}{self._header_lines(len(body))}Connection: close\r\n\r\n".encode() + body

    async def send(self, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Send the answer to an ASGI server."""
        body = self._body()
        fields = self._header_lines(len(body)).encode().splitlines()
        headers = [tuple(field.split(b": ", 1)) for field in fields]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def response(self) -> "Response":
        """The answer as a route of FastAPI's returns it."""
        from fastapi.responses import Response  # noqa: PLC0415 - see the module's first lines

        return Response(self._body(), self.status, dict(self.headers), self.kind)

    def _body(self) -> bytes:
        """A byte of a path that is not UTF-8 is escaped, in the form that JSON has for it."""
        return self.text.encode(errors="backslashreplace")

    def _header_lines(self, body_bytes: int) -> str:
        others = "".join(f"{name}: {value}\r\n" for name, value in self.headers) if self.headers else ""
        return f"{others}content-length: {body_bytes}\r\ncontent-type: {self.kind}\r\n"


def json_answer(facts: object) -> LookupResponse:
    """These facts as JSON."""
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return LookupResponse(200, JSON, text)
