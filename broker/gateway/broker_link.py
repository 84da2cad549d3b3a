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

    async def renew(self, feed: MatchedFeed) -> None:
        """Have the broker fetch the feed's token anew, as far as it can and will."""
        target = f"/v1/feeds/{quote(feed.name, safe='')}/refresh"
        await self._call(_read, "POST", target, REFRESH_S, feed.socket)

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
    try:
        answer = client.request(method, target, patience_s=patience_s, path=socket)
        found = json.loads(answer.body)
    except (client.BrokerError, OSError, ValueError):
        return None
    return found if answer.status == OK and isinstance(found, dict) else None
