"""ProviderGuard: the providers, and the one place that catches their defects.

A provider may come from another distribution; whatever it raises is a failure of its realm, never the end of
the daemon, and its text is never shown: it may hold a secret.
"""

import asyncio
import logging
import traceback
from collections.abc import Hashable, Mapping

from broker.core.credential import Credential
from broker.core.defect import name_of
from broker.core.failures import NotObtained, Unavailable
from broker.core.feeds import Feed
from broker.core.shortage import shortage_of
from broker.providers.protocol import AnswersClaims, Provider

FLIGHT_LIMIT_S = 90.0
"""A provider limits each of its own steps; this ends the one that does not."""

log = logging.getLogger("broker.suppliers")


class ProviderGuard:
    """Obtains credentials and fingerprints from the realm's provider; never raises a provider's exception."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

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

    def fingerprint(self, feed: Feed) -> Hashable:
        """The provider's sign-in fingerprint; None where it cannot say."""
        try:
            return self._providers[feed.realm.provider].sign_in_fingerprint(feed)
        except Exception as defect:  # noqa: BLE001 - a provider's defect is a failure of its realm
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
