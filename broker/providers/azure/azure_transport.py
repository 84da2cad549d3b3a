"""The way out of azure-identity where it runs in the daemon: its requests are sent by our own Http.

So proxies, authorities and limits are the daemon's, and an attempt can be given up although the library has
no way to say so: its next request is not sent. Import this in the thread that uses azure-identity.
"""

import asyncio
import logging
from typing import Any
from urllib.parse import urlencode, urlsplit

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import HttpResponse, HttpTransport
from azure.core.rest import HttpRequest

from broker.core.failures import Unavailable
from broker.host.http import Http, Request, Response
from broker.host.http_errors import Unreachable
from broker.providers.retry_after import retry_after_s

for _name in ("azure", "msal", "msal_extensions"):
    # They log what services answer, names included; what a person must know is in our failures.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class GivenUpError(ServiceRequestError):
    """The caller no longer waits for the request that the library wants to send."""


class AzureTransport(HttpTransport[HttpRequest, HttpResponse]):
    """The transport of one credential. `http` may be replaced when the configuration has made a new one.

    `loop` is the one that `http` belongs to; requests come from other threads. Once `given_up`, all fail.
    `answered` is who last answered a POST, which is how tokens are asked for, and the status: msal repeats a
    429 and its like for a while without asking again.
    """

    def __init__(self, http: Http, loop: asyncio.AbstractEventLoop) -> None:
        self.http = http
        self.given_up = False
        self.answered: tuple[str, int] | None = None
        self._retry_after_s: float | None = None
        self._loop = loop

    def send(self, request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - the library's options
        """Send once; raises ServiceRequestError with the reason, which holds neither secret nor body."""
        if self.given_up:
            raise GivenUpError("given up")
        body = request.content
        content = urlencode(body).encode() if isinstance(body, dict) else body
        ours = Request(request.method, request.url, tuple(request.headers.items()), content)
        asked = asyncio.run_coroutine_threadsafe(self.http.send(ours), self._loop)
        try:
            answer = asked.result()
            if request.method == "POST":
                self.answered = (urlsplit(request.url).hostname or "", answer.status)
                self._retry_after_s = retry_after_s(answer)
            return _Answer(request, answer)
        except Unreachable as error:
            raise ServiceRequestError(error.reason, error=error) from None

    def busy(self) -> Unavailable | None:
        """That the service has no time, by its last answer; None where it has."""
        if self.answered is None:
            return None
        host, status = self.answered
        if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 6585, RFC 9110 section 15.6
            return Unavailable(f"{host} answers {status}", retry_after_s=self._retry_after_s)
        return None

    def open(self) -> None:
        """Nothing: Http opens itself."""

    def close(self) -> None:
        """Nothing: Http belongs to the configuration."""

    def __exit__(self, *_: object) -> None:
        self.close()


class _Answer(HttpResponse):
    """A whole answer of ours as the library reads one."""

    def __init__(self, request: HttpRequest, response: Response) -> None:
        super().__init__(request, None)  # type: ignore[arg-type]  # written before the library had two kinds
        self._body = response.body
        self.status_code = response.status
        self.headers = dict(response.headers)
        self.content_type = self.headers.get("content-type")

    def body(self) -> bytes:
        return self._body


def outage_in(error: BaseException) -> str | None:
    """Why a service could not be asked, if that is what an error of the library comes from."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ServiceRequestError):
            return str(seen.message)
        seen = seen.__cause__ or seen.__context__
    return None
