"""HttpServer: an Acceptor for each listening socket, from the start to the last answer.

HTTP itself is uvicorn's (`http_protocol.py`), which the first connection loads that needs it: look-ups are
answered before it (`early_response.py`), and most daemons answer nothing else.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.core.access import LONG_ANSWERS_EXTENSION, SOCKET_KIND_EXTENSION
from broker.server.acceptor import Acceptor
from broker.server.early_response import Accepted
from broker.server.limits import Limits
from broker.server.listener_spec import ListenerSpec
from broker.server.log_throttle import LogThrottle
from broker.server.long_answers import LongAnswers
from broker.server.rate_limit import RateLimit

if TYPE_CHECKING:
    from broker.server.http_protocol import App, HttpConnections, HttpProtocol

THROTTLED_LOGGERS = ("uvicorn.error", "asyncio", "broker.host.door")
"""A client can trigger their records, so each message is logged a few times a minute at most."""

log = logging.getLogger("broker.host.door")  # the acceptor's


class HttpServer:
    """Serves an application on sockets, which stay open: `await serve()` until `stop()`.

    At the end, requests under way have `drain_s` seconds. `opened` is called once connections are accepted.
    """

    def __init__(
        self,
        app: "App",
        specs: Sequence[ListenerSpec],
        *,
        limits: Limits,
        drain_s: float = 10,
        opened: Callable[[], object] = lambda: None,
    ) -> None:
        self._app = app
        self._specs = specs
        self._limits = limits
        self._drain_s = drain_s
        self._opened = opened
        self._acceptors: list[Acceptor] = []
        self._http: HttpConnections | None = None
        self._log_throttle = LogThrottle(THROTTLED_LOGGERS)
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Accept no more connections, finish the requests under way, and make `serve` return."""
        self._stopped.set()

    async def serve(self) -> None:
        """Accept connections until `stop`, and return when the last one has ended."""
        self._log_throttle.start()
        try:
            for spec in self._specs:
                self.open(spec)
            self._opened()
            await self._stopped.wait()
            await self._finish()
        finally:
            self._log_throttle.stop()

    def open(self, spec: ListenerSpec) -> Acceptor:
        """Accept connections on one more socket, until the Acceptor is closed or the server ends."""
        per_user_s = spec.per_user_s or self._limits.per_user_s
        rate_limit = None if per_user_s is None else RateLimit(per_user_s, spec.account_of)
        most = min(spec.connections or self._limits.connections, self._limits.connections)
        limits = replace(self._limits, connections=most)
        long_answers = LongAnswers(limits.long_answers, limits.long_answers_per_user, spec.account_of)
        about: dict[str, object] = {
            SOCKET_KIND_EXTENSION: spec.socket_kind,
            LONG_ANSWERS_EXTENSION: long_answers,
        }
        acceptor = Acceptor(
            spec.listening,
            limits,
            admits=spec.admits,
            make_protocol=functools.partial(self._make_protocol, about, rate_limit),
            reply=spec.reply,
            rate_limit=rate_limit,
            see=spec.see,
            account_of=spec.account_of,
        )
        self._acceptors = [each for each in self._acceptors if not each.is_over]
        self._acceptors.append(acceptor)
        return acceptor

    async def _make_protocol(
        self,
        about_socket: dict[str, object],
        rate_limit: RateLimit | None,
        accepted: Accepted,
        leave: Callable[[], None],
    ) -> "HttpProtocol":
        if self._http is None:
            try:
                http = await asyncio.to_thread(self._load)  # look-ups do not wait for it
            except RuntimeError:  # no thread can be started
                http = self._load()
            self._http = self._http or http
        if not accepted.received:  # its time begins now that it is read
            accepted = accepted._replace(arrived=asyncio.get_running_loop().time())
        return self._http.protocol(accepted, about_socket, rate_limit, leave)

    def _load(self) -> "HttpConnections":
        from broker.server.http_protocol import HttpConnections  # noqa: PLC0415 - see the first lines

        return HttpConnections(self._app, self._limits)

    async def _finish(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        if self._http is not None:
            self._http.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                for acceptor in self._acceptors:
                    await acceptor.wait_closed()
                if self._http is not None:
                    await self._http.finished()
        held = sum(acceptor.held for acceptor in self._acceptors)
        if held:
            log.error("answers_cut held=%d", held)
