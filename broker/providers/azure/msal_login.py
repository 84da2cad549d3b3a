"""azure-identity's credential for a person, silent or on the way to be signed in. Every call is for a thread.

The library prints and opens nothing by itself: the page goes to `show`. Read `azure_transport.py` first.
"""

import functools
import threading
import webbrowser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from broker.core.credential import Secret
from broker.core.login_progress import Kept, LoginMethod
from broker.providers.azure.identities import RESOURCE
from broker.providers.azure.login_store import CACHE_SUFFIX, LoginRecord, Terms, cache_name

if TYPE_CHECKING:
    import asyncio

    from azure.identity import (
        DeviceCodeCredential,
        InteractiveBrowserCredential,
        TokenCachePersistenceOptions,
    )

    from broker.host.http import Http
    from broker.providers.azure.azure_transport import AzureTransport

CLIENT_ID = "d5a56ea4-7369-46b8-a538-c370805301bf"
"""Azure Artifacts, as artifacts-credprovider signs in with it: Azure DevOps trusts it without a consent."""

SCOPE = f"{RESOURCE}/.default"

SIGN_IN_LIMIT_S = 900
"""A device code of Entra's lives 15 minutes; a browser gets as long."""

Show = Callable[[str, str | None, datetime | None], None]
"""Takes the page to open, the code to type there if there is one, and its end if the service names one."""


class Renewer(NamedTuple):
    """What renews a sign-in: azure-identity's credential, and its way out."""

    credential: "DeviceCodeCredential | InteractiveBrowserCredential"
    wire: "AzureTransport"


def sign_in_with(
    terms: Terms, wire: "AzureTransport", show: Show, claims: str | None = None
) -> tuple[str, Renewer]:
    """Have a person sign in; returns the AuthenticationRecord in JSON, and what renews it.

    `claims` is what a feed wants of the token.

    Blocks until the person has acted or SIGN_IN_LIMIT_S have passed; raises ClientAuthenticationError.
    """
    credential = _credential(terms, wire, None, show)
    with _handing_pages_to(show):
        record = credential.authenticate(scopes=[SCOPE], claims=claims)
    return record.serialize(), Renewer(credential, wire)


def renewed(
    sign_in: LoginRecord, http: "Http", loop: "asyncio.AbstractEventLoop", claims: str | None = None
) -> tuple[Secret, int]:
    """An access token and its end in seconds since the epoch, without a person.

    With claims it is a new one, whatever the cache has.

    `http` is that of today's configuration, and `loop` its own. Raises AuthenticationRequiredError when it
    needs a person, ClientAuthenticationError when it fails.
    """
    from broker.providers.azure.azure_transport import (  # noqa: PLC0415 - brings azure-identity
        AzureTransport,
        GivenUpError,
    )

    with sign_in.store:
        if sign_in.ended.is_set():
            raise GivenUpError("the sign-in was ended meanwhile")
        if not sign_in.live:
            wire = AzureTransport(http, loop)
            sign_in.live.append(Renewer(_credential(sign_in.terms, wire, sign_in.record, _nobody), wire))
        renewer = sign_in.live[0]
        if not isinstance(renewer, Renewer):
            raise TypeError("this sign-in is renewed by somebody else")
        renewer.wire.http = http
        token = renewer.credential.get_token(SCOPE, claims=claims)
    return Secret(token.token), token.expires_on


def has_secret_store(mark: Path) -> bool:
    """Whether azure-identity can encrypt here: with macOS's keychain, or with libsecret and its service.

    `mark` is a file that the library may touch.
    """
    from msal_extensions import (  # type: ignore[import-untyped] # noqa: PLC0415 - 100 ms, for sign-ins alone
        build_encrypted_persistence,
    )

    try:
        build_encrypted_persistence(str(mark))
    except Exception:  # noqa: BLE001 - no GObject, no libsecret, no bus, no service: each raises its own
        return False
    return True


def erase(sign_in: LoginRecord) -> None:
    """Overwrite what a store has of the sign-in: azure-identity 1.27 has no sign-out of its own.

    Waits for a renewal that is under way, which would write the sign-in into the store again.
    """
    terms = sign_in.terms
    if terms.kept is Kept.MEMORY:
        return
    from azure.identity._persistent_cache import _get_persistence  # noqa: PLC0415 - see above

    cache = cache_name(terms.key) + CACHE_SUFFIX
    with sign_in.store:
        _get_persistence(terms.kept is Kept.FILE, "MSALCache", cache).save("{}")
        sign_in.ended.set()


def _credential(
    terms: Terms, wire: "AzureTransport", record: str | None, show: Show
) -> "DeviceCodeCredential | InteractiveBrowserCredential":
    from azure.identity import (  # noqa: PLC0415 - 200 ms, for the threads that need it
        AuthenticationRecord,
        DeviceCodeCredential,
        InteractiveBrowserCredential,
    )

    options: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "tenant_id": terms.tenant,
        "disable_automatic_authentication": True,
        "cache_persistence_options": _options(terms),
        "transport": wire,
        "retry_total": 0,  # retrying is the keeper's
    }
    if record is None:
        options["authority"] = terms.authority
    else:
        options["authentication_record"] = AuthenticationRecord.deserialize(record)
    if terms.way is LoginMethod.DEVICE_CODE:
        return DeviceCodeCredential(prompt_callback=show, **options)
    return InteractiveBrowserCredential(timeout=SIGN_IN_LIMIT_S, **options)


def _options(terms: Terms) -> "TokenCachePersistenceOptions | None":
    from azure.identity import TokenCachePersistenceOptions  # noqa: PLC0415 - as above

    if terms.kept is Kept.MEMORY:
        return None
    name = cache_name(terms.key)
    return TokenCachePersistenceOptions(name=name, allow_unencrypted_storage=terms.kept is Kept.FILE)


def _nobody(_url: str, _code: str | None, _end: datetime | None) -> None:
    raise AssertionError("a silent renewal has no page to show")


class _Handover(webbrowser.BaseBrowser):
    """What `webbrowser` opens pages with in this process: it hands them to the sign-in of the same thread."""

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:  # noqa: ARG002 - the parent's words
        """False outside of a sign-in: the daemon opens nothing."""
        show: Show | None = getattr(_of_thread, "show", None)
        if show is not None:
            show(url, None, None)
        return show is not None


_of_thread = threading.local()


@functools.cache
def _register() -> None:
    webbrowser.register("token-broker", None, _Handover(), preferred=True)


class _handing_pages_to:  # noqa: N801 - reads as what it does
    """Within this block, the pages that this thread opens go to `show`."""

    def __init__(self, show: Show) -> None:
        self._show = show

    def __enter__(self) -> None:
        _register()
        _of_thread.show = self._show

    def __exit__(self, *_: object) -> None:
        del _of_thread.show
