"""Signing a person in to an organisation with a device code or a browser, and out again.

Only `brokerctl login` comes here, never a look-up. Closing the iterator gives up: the library's next poll is
not sent, its wait for the browser is answered with a refusal, and so the thread that waits comes to its end.
"""

import asyncio
import http.client
import json
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.login_progress import Kept, LoginMethod, LoginPage, SignedIn, SignedOut
from broker.core.shortage import shortage_of
from broker.host.aside import EndedByWork, in_thread
from broker.providers.azure.challenge import ENTRA
from broker.providers.azure.entra_errors import CODE, failure_of_person
from broker.providers.azure.login_store import LoginRecord, LoginStore, Terms, brokerctl_login, key_of
from broker.providers.azure.token_flow import TokenFlow

if TYPE_CHECKING:
    from broker.host.http import Http
    from broker.providers.azure.azure_transport import AzureTransport
    from broker.providers.azure.msal_login import Renewer

STORE_LIMIT_S = 30.0
"""A secret store may show a dialog to be unlocked."""

CANCEL_LIMIT_S = 5.0
"""Our own wait for the browser is asked on loopback."""

REMAINS = (
    "tokens that were handed out stay good until their own end",
    "Entra still knows the sign-in: end it with Sign out everywhere at https://mysignins.microsoft.com",
)
"""What only Entra and the organisation can revoke."""

log = logging.getLogger("broker.providers.azure")

_DECLINED = "70018"
_TOO_LATE = frozenset({"70020", "70019"})


class WithoutReason(SignInNeeded):
    """A person must sign in, and the library does not say why."""


async def sign_in(
    flow: TokenFlow, ways: Sequence[LoginMethod], *, in_file: bool
) -> AsyncGenerator[LoginPage | SignedIn, None]:
    """What `protocol.Interactive` says, for the feed that `flow` is a look-up of."""
    tools, login = flow.tools, brokerctl_login(flow.feed)
    way = _allowed(flow, ways)
    tenant = await flow.tenant()
    sign_ins = LoginStore(tools.memory, tools.environ)
    key = key_of(flow.feed, flow.settings.account)
    authority = next(iter(flow.settings.login_hosts), ENTRA)
    terms = Terms(key, way, await _place(sign_ins, key, in_file=in_file), tenant, authority)
    before = sign_ins.find(flow.feed, flow.settings)
    attempt = _Attempt(tools.http, tools.now, before.claims if before is not None else [])
    try:
        working = in_thread(lambda: attempt.run(terms))
    except RuntimeError as error:
        raise failure_of(error, login) from None
    working.add_done_callback(lambda _: attempt.pages.put_nowait(None))
    try:
        while (page := await attempt.pages.get()) is not None:
            yield page
        record, renewer = working.result()
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 - azure-identity and msal raise what they like
        raise failure_of(error, login, attempt.wire) from None
    finally:
        if not working.done():
            working.cancel()
            attempt.give_up()
    made = LoginRecord(terms, str(json.loads(record)["username"]), record, tools.now(), [renewer])
    try:
        _check_account(made.account, flow)
    except NotObtained:
        await _erase(made)  # what was saved is another account's
        sign_ins.drop(made)
        raise
    if before is not None and before.terms.kept is not terms.kept:
        await _erase(before)  # it would come back with the next start
        sign_ins.drop(before)
    sign_ins.keep(made)
    log.info("signed_in realm=%s source=%s kept=%s", flow.feed.realm, way, terms.kept)
    yield SignedIn(made.account, terms.kept)


async def sign_out(flow: TokenFlow) -> SignedOut:
    """What `protocol.Interactive` says, for the feed that `flow` is a look-up of."""
    sign_ins = LoginStore(flow.tools.memory, flow.tools.environ)
    found = sign_ins.find(flow.feed, flow.settings)
    if found is None:
        return SignedOut(None)
    await _erase(found)
    sign_ins.drop(found)
    log.info("signed_out realm=%s source=%s", flow.feed.realm, found.terms.way)
    return SignedOut(found.account, REMAINS)


def failure_of(error: BaseException, login: str, wire: "AzureTransport | None" = None) -> NotObtained:
    """What an error of azure-identity means; its text, which quotes the service, is only read.

    `wire` knows what the service answered, which the library does not tell.
    """
    from broker.providers.azure.azure_transport import outage_in  # noqa: PLC0415 - brings azure-identity

    outage, shortage = outage_in(error), shortage_of(error)
    if outage is not None or shortage is not None:
        return Unavailable(outage or f"the sign-in could not be started: {shortage}")
    busy = None if wire is None else wire.busy()
    if busy is not None:
        return busy
    text = f"{error} {getattr(error, 'message', '')} {_body(error)}"
    found = CODE.search(text)
    if found is not None and found[1] == _DECLINED:
        return SignInNeeded("the sign-in was declined", hint=login)
    if "Timed out" in text or (found is not None and found[1] in _TOO_LATE):
        return SignInNeeded("nobody signed in in time", hint=login)
    if found is None:
        return _without_number(error, login, wire)
    failure = failure_of_person(found[1], login)
    failure.hint = login if isinstance(failure, SignInNeeded) else failure.hint
    return failure


def _without_number(error: BaseException, login: str, wire: "AzureTransport | None") -> NotObtained:
    """The failure where Entra has given none of its numbers."""
    kind = str(error) if isinstance(error, EndedByWork) else type(error).__name__
    if kind == "AuthenticationRequiredError":
        return WithoutReason("the sign-in cannot be renewed without a person", hint=login)
    if wire is None or wire.answered is None or isinstance(error, EndedByWork):
        return Unavailable(f"the sign-in came to nothing ({kind})", hint=login)
    host, status = wire.answered
    return Unavailable(f"{host} answers {status} without a token")


def _body(error: BaseException) -> str:
    """What the service answered, where the error has it; it is searched for a code and never shown."""
    answer: Any = getattr(error, "response", None)
    with suppress(Exception):  # there may be none, or one that was cut short: then the error's kind must do
        return str(answer.text(encoding="utf-8"))
    return ""


class _Attempt:
    """One attempt of a person's, from the loop's side; `run` is for a thread."""

    def __init__(self, http: "Http", now: Callable[[], datetime], claims: Sequence[str]) -> None:
        self._claims = next(iter(claims), None)
        self.pages: asyncio.Queue[LoginPage | None] = asyncio.Queue()
        self._http = http
        self._now = now
        self._loop = asyncio.get_running_loop()
        self.wire: AzureTransport | None = None
        self._url: str | None = None
        self._is_given_up = False

    def run(self, terms: Terms) -> "tuple[str, Renewer]":
        """Block until the person has acted; the record in JSON, and the credential."""
        from broker.providers.azure.azure_transport import AzureTransport  # noqa: PLC0415 - the same
        from broker.providers.azure.msal_login import sign_in_with  # noqa: PLC0415 - brings azure-identity

        self.wire = wire = AzureTransport(self._http, self._loop)
        wire.given_up = self._is_given_up
        try:
            return sign_in_with(terms, wire, self._show, self._claims)
        finally:
            self._url = None  # the attempt waits for the browser no longer

    def give_up(self) -> None:
        """End the thread at its next step, if it still runs."""
        self._is_given_up = True
        if self.wire is not None:
            self.wire.given_up = True
        url = self._url
        if url is not None:
            with suppress(RuntimeError):  # without a thread it waits until its own limit
                answering = in_thread(lambda: _refuse_redirect(url))
                answering.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _show(self, url: str, code: str | None, end: datetime | None) -> None:
        from broker.providers.azure.msal_login import SIGN_IN_LIMIT_S  # noqa: PLC0415 - loaded by now

        if not url.startswith("https://") or not (url + (code or "")).isprintable():
            raise ValueError("not a page for a person")
        self._url = url
        limit = self._now() + timedelta(seconds=SIGN_IN_LIMIT_S)
        page = LoginPage(url, code, (end or limit).astimezone(UTC))
        self._loop.call_soon_threadsafe(self.pages.put_nowait, page)


def _refuse_redirect(url: str) -> None:
    """Answer a browser sign-in as Entra would when the person declines, so that the wait for it ends."""
    query = parse_qs(urlsplit(url).query)
    back = urlsplit(query.get("redirect_uri", [""])[0])
    if back.hostname != "localhost" or back.port is None:
        return  # a device code: its next poll is not sent
    connection = http.client.HTTPConnection(back.hostname, back.port, timeout=CANCEL_LIMIT_S)
    with suppress(OSError, http.client.HTTPException):
        refusal = urlencode({"error": "access_denied", "state": query.get("state", [""])[0]})
        connection.request("GET", f"/?{refusal}")
        connection.getresponse().read()
    connection.close()


async def _place(sign_ins: LoginStore, key: str, *, in_file: bool) -> Kept:
    """Where the sign-in will be kept: encrypted if that is possible, else where was asked for."""

    def encrypts() -> bool:
        from broker.providers.azure.msal_login import has_secret_store  # noqa: PLC0415 - a thread's import

        return has_secret_store(sign_ins.cache(key))

    otherwise = Kept.FILE if in_file else Kept.MEMORY
    try:
        sign_ins.make_folder()
        async with asyncio.timeout(STORE_LIMIT_S):
            return Kept.SECRET_STORE if await in_thread(encrypts) else otherwise
    except (TimeoutError, OSError, RuntimeError):
        return otherwise


async def _erase(sign_in: LoginRecord) -> None:
    """Take a sign-in out of its store; raises Unavailable when that does not let go of it."""

    def erased() -> None:
        from broker.providers.azure.msal_login import erase  # noqa: PLC0415 - brings azure-identity

        erase(sign_in)

    try:
        async with asyncio.timeout(STORE_LIMIT_S):
            await in_thread(erased)
    except TimeoutError:
        raise Unavailable("the secret store does not answer: it may wait to be unlocked") from None
    except Exception as error:  # noqa: BLE001 - each kind of store raises its own
        raise Unavailable(f"the secret store does not let go ({type(error).__name__})") from None


def _allowed(flow: TokenFlow, ways: Sequence[LoginMethod]) -> LoginMethod:
    """The first way that the feed's settings have in `auth`; raises Refused when they have none of them."""
    auth = flow.settings.auth
    for way in ways:
        if way in auth:
            return way
    others = [way for way in LoginMethod if way in auth]
    said = f"the configuration of {flow.feed.name} allows no sign-in with {' or '.join(ways)}"
    raise Refused(said, hint=f"{brokerctl_login(flow.feed)} --{others[0]}" if others else None)


def _check_account(account: str, flow: TokenFlow) -> None:
    """Raise SignInNeeded when another account than the configured one has signed in."""
    if not account.isprintable():
        raise Refused("Entra names an account that cannot be shown")
    configured = flow.settings.account
    if configured is not None and account.lower() != configured.lower():
        raise SignInNeeded(
            f"{account} has signed in, {flow.feed.name} is configured for {configured}",
            hint=brokerctl_login(flow.feed),
        )
