"""ProviderGuard: the providers, and the one place that catches their defects.

A provider may come from another distribution; whatever it raises is a failure of its realm, never the end of
the daemon, and its text is never shown: it may hold a secret.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Protocol, TypeVar

from broker.core.credential import Credential
from broker.core.defect import name_of
from broker.core.failures import NotObtained, Unavailable
from broker.core.feeds import Feed
from broker.core.shortage import shortage_of
from broker.providers.protocol import AnswersClaims, Provider

FLIGHT_LIMIT_S = 90.0
"""A provider limits each of its own steps; this ends the one that does not."""

STAMP_LIMIT_S = 2.0
"""Within this time a disk says when a sign-in tool's files were changed, or it hangs."""

Found = TypeVar("Found")

log = logging.getLogger("broker.suppliers")


class BesideTheLoop(Protocol):
    """Runs work that may block, within a limit in seconds."""

    def __call__(self, work: Callable[[], Found], limit_s: float, /) -> Awaitable[Found]:
        """What the work returns or raises; raises TimeoutError."""
        ...


async def at_once(work: Callable[[], Found], _limit_s: float) -> Found:
    """Run the work here and now: for providers whose files are in memory."""
    return work()


class ProviderGuard:
    """Obtains credentials and fingerprints from the realm's provider; never raises a provider's exception.

    `aside` runs what looks at files.
    """

    def __init__(self, providers: Mapping[str, Provider], aside: BesideTheLoop = at_once) -> None:
        self._providers = providers
        self._aside = aside

    def with_providers(self, providers: Mapping[str, Provider]) -> "ProviderGuard":
        """The same for other providers."""
        return ProviderGuard(providers, self._aside)

    async def obtain(self, feed: Feed, scope: str, claims: str | None = None) -> Credential | NotObtained:
        """One attempt within FLIGHT_LIMIT_S: the credential, or why there is none.

        `claims` is what the feed wanted of the next one when it turned down the last.
        """
        try:
            async with asyncio.timeout(FLIGHT_LIMIT_S):
                found: object = await self._obtained(feed, scope, claims)
            return (
                found if isinstance(found, Credential) else broken(f"{type(found).__name__} for a credential")
            )
        except NotObtained as failure:
            return failure
        except TimeoutError:
            return Unavailable(f"the provider did not answer within {FLIGHT_LIMIT_S:.0f} s")
        except asyncio.CancelledError as defect:
            if is_cancelled():
                raise
            return broken(_reported(feed, defect))
        # sys.exit() in a library is no order to us
        except (Exception, SystemExit) as defect:  # noqa: BLE001 - a provider's defect is its realm's failure
            shortage = shortage_of(defect)
            if shortage is not None:  # it meets any code at any line, and is no defect
                return Unavailable(f"the credential could not be fetched: {shortage}")
            return broken(_reported(feed, defect))

    async def _obtained(self, feed: Feed, scope: str, claims: str | None) -> Credential:
        provider = self._providers[feed.realm.provider]
        if claims is not None and isinstance(provider, AnswersClaims):
            return await provider.obtain_with(feed, scope, claims)
        return await provider.obtain(feed, scope)

    async def fingerprint(self, feed: Feed, known: Hashable) -> Hashable:
        """The provider's sign-in fingerprint; None where it cannot say, `known` while the disk does not."""
        return (await self.fingerprints([(feed, known)]))[0]

    async def fingerprints(self, asked: Sequence[tuple[Feed, Hashable]]) -> list[Hashable]:
        """The fingerprint of each feed, looked at in one go; beside each feed stands what is known."""
        providers = self._providers  # those of now: a reload may come meanwhile
        try:
            return await self._aside(
                lambda: [_fingerprint(providers, feed) for feed, _ in asked], STAMP_LIMIT_S
            )
        except (TimeoutError, RuntimeError):  # the disk hangs, or no thread can be started
            return [known for _, known in asked]


def _fingerprint(providers: Mapping[str, Provider], feed: Feed) -> Hashable:
    try:
        return providers[feed.realm.provider].sign_in_fingerprint(feed)
    except (Exception, SystemExit) as defect:  # noqa: BLE001 - a provider's defect is a failure of its realm
        _reported(feed, defect)
        return None


def broken(name: str) -> Unavailable:
    """The failure of a realm where a defect was met, by the defect's name."""
    return Unavailable(f"a defect in token-broker ({name})", hint="brokerctl logs")


def is_cancelled() -> bool:
    """Whether the task that runs was cancelled itself, not only something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _reported(feed: Feed, defect: BaseException) -> str:
    """The defect's name, its whole place being in the log."""
    kind, where = type(defect).__name__, "".join(traceback.format_tb(defect.__traceback__))
    log.error("provider_broken realm=%s error=%s\n%s", feed.realm, kind, where)
    return name_of(defect)
