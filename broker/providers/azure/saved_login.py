"""`device-code` and `browser`: sign-ins that `brokerctl login` made, renewed without a person.

Never a prompt: what only a person can renew is a SignInNeeded with the command to type. Read `login.py`
for how a sign-in is made.
"""

import asyncio
from collections.abc import Hashable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from broker.core.credential import Secret
from broker.core.failures import NotObtained, SignInNeeded, Unavailable
from broker.core.feeds import Feed
from broker.core.login_progress import LoginMethod
from broker.host.aside import in_thread
from broker.providers.azure.identities import Bearer, Skipped, entra_bearer
from broker.providers.azure.login import WithoutReason, failure_of
from broker.providers.azure.login_store import LoginRecord, LoginStore, brokerctl_login
from broker.providers.azure.settings import AzureSettings
from broker.providers.protocol import ProviderContext

if TYPE_CHECKING:
    from broker.providers.azure.azure_transport import AzureTransport

RENEWAL_LIMIT_S = 30.0
"""Up to three requests of 10 s; a secret store that waits to be unlocked is not waited for."""


class SavedLogin:
    """One feed's sign-in by one way, for one look at it; satisfies Identity."""

    way: ClassVar[LoginMethod]
    name: ClassVar[str]

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:
        self._sign_ins = LoginStore(tools.memory, tools.environ)
        self._feed = feed
        self._settings = settings
        self._http = tools.http

    @property
    def account(self) -> str | None:
        """Who has signed in this way: no other account's token is then good for the feed."""
        found = self._found()
        return None if found is None else found.account

    def unavailable_reason(self) -> str | None:
        """Why there is no sign-in: none was made this way."""
        return None if self._found() is not None else "nobody has signed in with brokerctl login"

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Renew silently, with the claims that the feed wants.

        Raises SignInNeeded when that needs a person, Unavailable when it fails for now.
        """
        found = self._found()
        if found is None:
            return Skipped(self.name, "nobody has signed in with brokerctl login")
        if found.terms.tenant != tenant:
            return Skipped(self.name, f"the sign-in is to tenant {found.terms.tenant}")
        loop = asyncio.get_running_loop()
        found.claims[:] = [] if claims is None else [claims]  # for the sign-in that may have to come

        def renew() -> tuple[Secret, int]:
            from broker.providers.azure.msal_login import renewed  # noqa: PLC0415 - brings azure-identity

            return renewed(found, self._http, loop, claims)

        try:
            async with asyncio.timeout(RENEWAL_LIMIT_S):
                token, ends = await in_thread(renew)
        except TimeoutError:
            raise Unavailable(f"{self.name}: nothing came of it within {RENEWAL_LIMIT_S:.0f} s") from None
        except Exception as error:  # noqa: BLE001 - azure-identity and msal raise what they like
            failure = failure_of(error, brokerctl_login(self._feed), _wire_of(found))
            raise self._remembered(found, failure) from None
        bearer = entra_bearer(token, self.name, datetime.fromtimestamp(ends, UTC))
        return bearer if claims is None else replace(bearer, replacing=brokerctl_login(self._feed))

    def fingerprint(self) -> Hashable:
        """When the sign-in was made; None where there is none."""
        found = self._found()
        return None if found is None else found.made_at

    def _remembered(self, found: LoginRecord, failure: NotObtained) -> NotObtained:
        """The failure, or why an earlier attempt failed: msal forgets a refused sign-in, and the reason."""
        if isinstance(failure, WithoutReason) and found.refusals:
            return found.refusals[-1]
        if isinstance(failure, SignInNeeded):
            found.refusals[:] = [failure]
        return failure

    def _found(self) -> LoginRecord | None:
        found = self._sign_ins.find(self._feed, self._settings)
        return found if found is not None and found.terms.way is self.way else None


def _wire_of(sign_in: LoginRecord) -> "AzureTransport | None":
    from broker.providers.azure.msal_login import Renewer  # noqa: PLC0415 - loaded by the renewal

    return next((each.wire for each in sign_in.live if isinstance(each, Renewer)), None)


class DeviceCode(SavedLogin):
    """A sign-in that was made with a code."""

    way: ClassVar[LoginMethod] = LoginMethod.DEVICE_CODE
    name: ClassVar[str] = LoginMethod.DEVICE_CODE.value


class Browser(SavedLogin):
    """A sign-in that was made with a browser."""

    way: ClassVar[LoginMethod] = LoginMethod.BROWSER
    name: ClassVar[str] = LoginMethod.BROWSER.value
