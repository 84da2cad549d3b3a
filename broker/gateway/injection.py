"""Whether a request gets a credential, by the broker's word alone, and which one.

Asked for each request anew: the broker's table decides by the request's own address, its answer goes into
one request and is kept nowhere.
"""

import asyncio
import base64
import binascii
from collections import defaultdict
from dataclasses import dataclass, field

from token_broker_client import Answer, Failed, NotRunning

from broker.core.moment import Moment
from broker.core.refresh import RETRY_AFTER_MAX_S
from broker.gateway.broker_link import BrokerLink
from broker.gateway.run_report import RunReport
from broker.host.clock import Clock

READING = frozenset({"GET", "HEAD"})
"""What a feed of scope `read` answers (RFC 9110 section 9.2.1 has two more safe methods: TRACE repeats the
credential to who asks, OPTIONS tells clients nothing they ask feeds for).
"""

RENEWED_AT_MOST_EVERY_S = 10.0
"""A feed that says 401 to a new token as well is not asked for another one by each request. Later where the
identity service said so (Retry-After), up to RETRY_AFTER_MAX_S.
"""


@dataclass(frozen=True, slots=True)
class Untouched:
    """The request goes on as it is."""


@dataclass(frozen=True, slots=True)
class Injected:
    """The request goes on with this value of Authorization."""

    authorization: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Withheld:
    """The request does not go on: one line says why."""

    line: str


class Injector:
    """Asks `broker`, and tells `report` why there was no credential, or no new one."""

    def __init__(self, broker: BrokerLink, report: RunReport, clock: Clock) -> None:
        self._broker = broker
        self.report = report
        self._clock = clock
        self._renewing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next_renewal: dict[str, Moment] = {}

    async def decide(self, method: str, url: str, given: bytes | None) -> Untouched | Injected | Withheld:
        """What becomes of a request for `url` with this Authorization of its own. Never raises."""
        username = None if given is None else lone_username(given)
        if given is not None and username is None:
            return Untouched()
        found = await self._broker.credential(without_query(url), username or None)
        match found:
            case Answer(username, password):
                pass
            case Failed(line):
                return self._withheld(line)
            case NotRunning(line):
                return self._withheld(line)
            case _:
                return Untouched()
        if method not in READING:
            feed = await self._broker.feed_of(without_query(url))
            if feed is None or feed.scope == "read":
                name = "this feed" if feed is None else feed.name
                return self._withheld(f"{name}: its credential is for reading, and this was a {method}")
        return Injected(_basic(username, password))

    async def another(self, url: str, given: bytes | None, refused: Injected) -> Injected | None:
        """A credential that differs from the one that the feed has just refused; None where none is had."""
        feed = await self._broker.feed_of(without_query(url))
        if feed is None:
            return None
        async with self._renewing[feed.name]:
            found = await self._differing(url, given, refused)
            due = self._next_renewal.get(feed.name)
            if found is not None or (due is not None and not due.reached(self._clock.now())):
                return found
            failed = await self._broker.renew(feed)
            if failed is not None:
                self.report.failed(failed.line)
            told_s = 0.0 if failed is None else min(failed.wait_s, RETRY_AFTER_MAX_S)
            self._next_renewal[feed.name] = self._clock.now().after(max(RENEWED_AT_MOST_EVERY_S, told_s))
            return await self._differing(url, given, refused)

    async def _differing(self, url: str, given: bytes | None, refused: Injected) -> Injected | None:
        found = await self.decide("GET", url, given)
        return found if isinstance(found, Injected) and found != refused else None

    def _withheld(self, line: str) -> Withheld:
        self.report.failed(line)
        return Withheld(line)


def lone_username(authorization: bytes) -> str | None:
    """The user name of Basic credentials without a password, which is what clients send that know a name
    only (uv, pip, poetry); None for every other value.
    """
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        username, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return username.decode("utf-8", "replace") if not password else None


def without_query(url: str) -> str:
    """The URL as far as it can name a feed: a query may hold a signature."""
    return url.partition("?")[0]


def _basic(username: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{username}:{password}".encode())
