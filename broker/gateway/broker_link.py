"""Asking the user's broker, as every client does: by its socket, once for each request. Keeps no token.

The client library blocks, so it is asked in threads of its own: a look-up that waits for a fetch must not
keep others waiting.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, urlencode

import token_broker_client as client
from token_broker_client import Answer, Failed, NotOurs, NotRunning, Silent

from broker.core.failures import advice

THREADS = 64
"""Look-ups under way at once; the surplus waits its turn."""

LOOK_UP_S = 60.0
"""A client that is waited for shows nothing meanwhile; as long as two sign-in tools may take."""

REFRESH_S = 120.0
OK = 200

Given = ParamSpec("Given")
Got = TypeVar("Got")


@dataclass(frozen=True, slots=True)
class MatchedFeed:
    """The feed that an address belongs to; `scope` is `read` or `publish`, `socket` its broker's."""

    name: str
    scope: str
    socket: str | None


@dataclass(frozen=True, slots=True)
class NotRenewed:
    """Why the broker has no new token, in one line; how long the service wants to be left alone, 0 where it
    does not say.
    """

    line: str
    wait_s: float


class BrokerLink:
    """The broker at `socket`, or the user's where that is None, and the system's after it. One that is still
    starting has its socket already, where questions wait.
    """

    def __init__(self, socket: str | None) -> None:
        self._socket = socket
        self._threads = ThreadPoolExecutor(THREADS, "broker")

    async def credential(
        self, url: str, username: str | None
    ) -> Answer | NotOurs | Silent | Failed | NotRunning:
        """What the broker says of the URL. Never raises."""
        return await self._call(
            client.ask, url, username, patience_s=LOOK_UP_S, start=False, path=self._socket
        )

    async def feed_of(self, url: str) -> MatchedFeed | None:
        """The feed that has the URL, by the broker's own table; None where none has, or none is told."""
        for socket in (self._socket, client.SYSTEM_SOCKET):
            found = await self._call(
                _read, "GET", f"/v1/match?{urlencode({'url': url})}", client.DEFAULT_BUDGET_S, socket
            )
            if found is not None:
                return MatchedFeed(str(found.get("feed")), str(found.get("scope")), socket)
        return None

    async def renew(self, feed: MatchedFeed) -> NotRenewed | None:
        """Have the broker fetch the feed's token anew: None where it did, or where it does not answer."""
        target = f"/v1/feeds/{quote(feed.name, safe='')}/refresh"
        answer = await self._call(_asked, "POST", target, REFRESH_S, feed.socket)
        told = None if answer is None or answer.status == OK else _object(answer.body)
        if answer is None or told is None or not isinstance(told.get("detail"), str):
            return None
        hint, wait = told.get("hint"), answer.headers.get("retry-after", "")
        line = f"{feed.name}: {told['detail']}" + (f"; {advice(hint)}" if isinstance(hint, str) else "")
        return NotRenewed(line, float(wait) if wait.isdecimal() else 0.0)

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(
        self, function: Callable[Given, Got], *positional: Given.args, **named: Given.kwargs
    ) -> Got:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*positional, **named))


def _read(method: str, target: str, patience_s: float, socket: str | None) -> dict[str, Any] | None:
    """The object that the broker answers, or None where it does not."""
    answer = _asked(method, target, patience_s, socket)
    return _object(answer.body) if answer is not None and answer.status == OK else None


def _asked(method: str, target: str, patience_s: float, socket: str | None) -> client.BrokerResponse | None:
    try:
        return client.request(method, target, patience_s=patience_s, path=socket)
    except (client.BrokerError, OSError):
        return None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
