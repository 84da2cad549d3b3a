"""The way out of `sdk_child.py`: what the SDK sends goes through our own Http, with its limits and trust.

A requests adapter, as its documentation has it. How the last one failed is remembered, to be told in place of
the SDK's words.
"""

import asyncio
import io
import re
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from broker.host.http import Http, Request, Response
from broker.host.http_errors import Unreachable
from broker.providers.retry_after import retry_after_s

_ITS_OWN = frozenset({"accept-encoding", "connection", "content-length", "host", "transfer-encoding"})
"""Headers that Http writes itself."""

_CODE = re.compile(r"\bAADSTS([0-9]{4,9})\b")
_ERROR = re.compile(r'"error"\s*:\s*"([a-z_]{1,40})"')


class BrokerTransport(BaseAdapter):
    """Leads the SDK's requests through the daemon's own way out, and remembers the last that failed."""

    def __init__(self, ca: Path | None) -> None:
        super().__init__()
        self._ca = ca
        self._host = ""
        self._ended: Response | Unreachable | None = None

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **_: object
    ) -> requests.Response:
        """Send once; the limits and the trust that requests would have are the way out's own."""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = tuple((name, str(value)) for name, value in request.headers.items())
        url = request.url or ""
        asked = Request(
            request.method or "GET",
            url,
            tuple(header for header in headers if header[0].lower() not in _ITS_OWN),
            body if isinstance(body, bytes) else None,
        )
        host = urlsplit(url).hostname or ""
        try:
            answer = asyncio.run(self._sent(asked))
        except Unreachable as error:
            self._host, self._ended = host, error
            raise requests.ConnectionError(error.reason) from None
        if self._ended is None or answer.status >= 400:  # noqa: PLR2004 - RFC 9110's classes
            # msal 1.39 asks for the names of Entra's hosts after a refusal: that answer is no news
            self._host, self._ended = host, answer
        made = requests.Response()
        made.status_code, made.url, made.request = answer.status, url, request
        made.headers.update(dict(answer.headers))
        made.raw = HTTPResponse(
            io.BytesIO(answer.body),
            headers=dict(answer.headers),
            status=answer.status,
            preload_content=False,
        )
        return made

    async def _sent(self, asked: Request) -> Response:
        async with Http(self._ca) as http:
            return await http.send(asked)

    def close(self) -> None:
        """Nothing is kept open."""

    def told(self) -> dict[str, object]:
        """Who was asked last in vain, and why there was no answer or what was in it."""
        match self._ended:
            case Unreachable(reason=reason):
                return {"host": self._host, "unreachable": reason}
            case Response(status=status, body=body):
                text = body.decode(errors="replace")
                code, error = _CODE.search(text), _ERROR.search(text)
                return {
                    "host": self._host,
                    "status": status,
                    "code": code[1] if code else None,
                    "error": error[1] if error else None,
                    "retry_after_s": retry_after_s(self._ended),
                }
        return {}
