"""Signing a person in with the real azure-identity against the fake Entra, and giving up."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import Refused, SignInNeeded
from broker.core.feeds import READ
from broker.core.login_progress import Kept, LoginMethod, LoginPage, SignedIn
from broker.providers.azure.provider import AzureProvider
from broker.providers.protocol import ProviderContext
from tests.fakes.browser import Browser
from tests.fakes.journal import PATIENCE_S
from tests.fakes.tokens import Account
from tests.providers.azure.feeds import PERSON, TENANT, at, feed_with
from tests.providers.azure.persons import (
    BOTH,
    BY_CODE,
    approving,
    entra,
    grants,
    home,
    saved,
    signing,
)

if TYPE_CHECKING:
    from tests.fakes.entra import Entra
    from tests.fakes.organisation import Organisation

__all__ = ["entra", "home"]


async def test_a_code_is_shown_and_a_sign_in_without_a_secret_store_is_in_memory(
    provider: AzureProvider, entra: Entra, acme: Organisation, tools: ProviderContext
) -> None:
    pages: list[LoginPage] = []

    def act(page: LoginPage) -> None:
        pages.append(page)
        approving(entra)(page)

    signed_in = await signing(provider, act)
    credential = await provider.obtain(feed_with(), READ)

    assert (pages[0].url, pages[0].code) == ("https://microsoft.com/devicelogin", "FAKE00001")
    assert 890 < (pages[0].expires_at - tools.now()).total_seconds() <= 901
    assert signed_in == SignedIn(PERSON, Kept.MEMORY)
    assert (credential.source, credential.account, credential.tenant) == ("device-code", PERSON, TENANT)
    assert acme.identify(credential.secret.reveal())


async def test_a_pending_code_is_asked_for_until_it_is_approved(
    provider: AzureProvider, entra: Entra
) -> None:
    def later(page: LoginPage) -> None:
        def approve() -> None:
            entra.requests.wait_for(1)
            approving(entra)(page)

        threading.Thread(target=approve).start()

    await signing(provider, later)

    assert entra.requests.entries[0].code == 70016
    assert entra.requests.entries[-1].code is None


async def test_a_browser_signs_in_with_pkce_and_the_daemon_opens_nothing(
    provider: AzureProvider, entra: Entra, tmp_path: Path
) -> None:
    entra.browser_account = Account(PERSON, TENANT)
    browser = Browser(tmp_path / "browser")
    shells: list[str] = []

    def visit(page: LoginPage) -> None:
        shells.append(page.url)
        browser.visit(page.url)

    signed_in = await signing(provider, visit, ways=BOTH)
    credential = await provider.obtain(feed_with(), READ)

    assert signed_in.account == PERSON
    assert "code_challenge=" in shells[0]
    assert browser.opened == shells
    assert grants(entra)[0] == "authorization_code"
    assert credential.source == "browser"


@pytest.mark.parametrize(
    ("act", "words"),
    [("decline", "the sign-in was declined"), ("expire", "nobody signed in in time")],
)
async def test_a_code_that_comes_to_nothing_says_how(
    act: str, words: str, provider: AzureProvider, entra: Entra
) -> None:
    with pytest.raises(SignInNeeded, match=words) as raised:
        await signing(provider, lambda page: getattr(entra, act)(page.code or ""))

    assert raised.value.hint == "brokerctl login corp"


async def test_who_is_not_the_configured_account_has_not_signed_in(
    provider: AzureProvider, entra: Entra, home: Path
) -> None:
    feed = feed_with(account="boss@acme.example")
    with pytest.raises(SignInNeeded, match="is configured for boss@"):
        await signing(provider, approving(entra), feed, in_file=True)

    with pytest.raises(SignInNeeded, match="nobody has signed in"):
        await provider.obtain(feed_with(account="boss@acme.example", auth=["device-code"]), READ)
    assert not saved(home)


@pytest.mark.parametrize(
    ("auth", "hint"),
    [(["browser"], "brokerctl login corp --browser"), (["azure-cli"], None)],
)
async def test_a_way_that_the_configuration_does_not_name_is_refused(
    auth: list[str], hint: str | None, provider: AzureProvider, entra: Entra
) -> None:
    with pytest.raises(Refused, match="allows no sign-in with device-code") as raised:
        await signing(provider, approving(entra), feed_with(auth=auth))

    assert raised.value.hint == hint
    assert not entra.devices


@pytest.mark.parametrize("ways", [BY_CODE, (LoginMethod.BROWSER,)])
async def test_giving_up_ends_the_waiting_thread(
    ways: tuple[LoginMethod, ...], provider: AzureProvider, entra: Entra
) -> None:
    steps = provider.sign_in(feed_with(), ways, in_file=False)
    assert isinstance(await anext(steps), LoginPage)
    (waiting,) = [thread for thread in threading.enumerate() if thread.name == "aside"]
    await steps.aclose()
    await asyncio.to_thread(waiting.join, PATIENCE_S)

    assert not waiting.is_alive()
    assert not [request for request in entra.requests if request.code is None]


async def test_an_organisation_that_cannot_be_asked_begins_no_sign_in(
    provider: AzureProvider, entra: Entra
) -> None:
    with pytest.raises(Refused, match="no such organisation"):
        await signing(provider, approving(entra), feed_with(at("absent")))
    assert not entra.devices
