"""Signing a person in with the real azure-identity against the fake Entra, and renewing it silently."""

from __future__ import annotations

import asyncio
import stat
import threading
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ, Feed
from broker.core.signing import Kept, Page, SignedIn, Way
from broker.host.http import Http
from broker.providers.azure.provider import AzureProvider
from broker.providers.protocol import Interactive, Tools
from tests.fakes.browser import Browser
from tests.fakes.connect_proxy import Conduct
from tests.fakes.entra import LOGIN_HOSTS, aadsts
from tests.fakes.journal import PATIENCE_S
from tests.fakes.tokens import Account
from tests.providers.azure.feeds import OTHER_TENANT, PERSON, TENANT, at, feed_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.az import AzureCli
    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.entra import Entra
    from tests.fakes.organisation import Organisation

BOTH = (Way.BROWSER, Way.DEVICE_CODE)
BY_CODE = (Way.DEVICE_CODE,)
PRESSED = "device_code"
RENEWED = "refresh_token"


@pytest.fixture
def home(tmp_path: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, for the daemon and for azure-identity."""
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    environ: Any = tools.environ
    environ["HOME"] = str(made)
    monkeypatch.setenv("HOME", str(made))
    return made


@pytest.fixture
def entra(home: Path, acme: Organisation, cloud: AzureDevOps) -> Entra:  # noqa: ARG001 - where it is found
    """The directory whose tokens `acme` takes; every token it gives is to be renewed at once."""
    cloud.entra.lifetime_s = 200  # msal renews what has less than five minutes left
    return cloud.entra


async def signing(
    provider: object,
    act: Callable[[Page], None],
    feed: Feed | None = None,
    ways: tuple[Way, ...] = BY_CODE,
    *,
    in_file: bool = False,
) -> SignedIn:
    """Sign in, a person doing `act` on the page that is shown."""
    assert isinstance(provider, Interactive)
    outcome: SignedIn | None = None
    async with aclosing(provider.sign_in(feed or feed_with(), ways, in_file=in_file)) as steps:
        async for step in steps:
            match step:
                case Page():
                    act(step)
                case SignedIn():
                    outcome = step
    assert outcome is not None
    return outcome


def approving(entra: Entra, name: str = PERSON, tenant: str = TENANT) -> Callable[[Page], None]:
    """A person who enters the code and says yes."""
    return lambda page: entra.approve(page.code or "", Account(name, tenant))


def grants(entra: Entra) -> list[str]:
    return [request.grant.rpartition(":")[2] for request in entra.requests]


async def test_a_code_is_shown_and_a_sign_in_without_a_secret_store_is_in_memory(
    provider: AzureProvider, entra: Entra, acme: Organisation, tools: Tools
) -> None:
    pages: list[Page] = []

    def act(page: Page) -> None:
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
    def later(page: Page) -> None:
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

    def visit(page: Page) -> None:
        shells.append(page.url)
        browser.visit(page.url)

    signed_in = await signing(provider, visit, ways=BOTH)
    credential = await provider.obtain(feed_with(), READ)

    assert signed_in.account == PERSON
    assert "code_challenge=" in shells[0]
    assert browser.opened == shells
    assert grants(entra)[0] == "authorization_code"
    assert credential.source == "browser"


async def test_renewal_is_silent_after_the_access_tokens_end(provider: AzureProvider, entra: Entra) -> None:
    await signing(provider, approving(entra))
    for _ in range(2):
        await provider.obtain(feed_with(), READ)

    assert grants(entra) == [PRESSED, RENEWED, RENEWED]
    assert len(entra.devices) == 1


async def test_a_sign_in_wins_over_az(provider: AzureProvider, entra: Entra, signed_in: AzureCli) -> None:
    await signing(provider, approving(entra, "other@acme.example"))
    credential = await provider.obtain(feed_with(), READ)

    assert (credential.source, credential.account) == ("device-code", "other@acme.example")
    assert signed_in.calls == ()


async def test_a_revoked_sign_in_is_a_persons_turn_and_no_look_up_prompts(
    provider: AzureProvider, entra: Entra
) -> None:
    await signing(provider, approving(entra))
    entra.signed_out.add(PERSON)
    before = len(entra.devices)

    for _ in range(2):
        with pytest.raises(SignInNeeded, match="AADSTS50173") as raised:
            await provider.obtain(feed_with(), READ)
        assert raised.value.hint == "brokerctl login corp"
        assert raised.value.drops_token
    assert len(entra.devices) == before
    assert "device_code" not in grants(entra)[1:]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(("who", "stands_in"), [(PERSON, True), ("other@acme.example", False)])
async def test_for_a_sign_in_that_fails_only_the_same_persons_az_stands_in(
    who: str, stands_in: bool, provider: AzureProvider, entra: Entra
) -> None:
    await signing(provider, approving(entra, who))
    entra.signed_out.add(who)

    if stands_in:
        assert (await provider.obtain(feed_with(), READ)).source == "azure-cli"
    else:
        with pytest.raises(SignInNeeded) as raised:
            await provider.obtain(feed_with(), READ)
        assert raised.value.hint == "brokerctl login corp"


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        (50076, "interaction_required", SignInNeeded),
        (53003, "invalid_grant", SignInNeeded),
        (12345, "invalid_grant", SignInNeeded),
        (90033, "temporarily_unavailable", Unavailable),
        (700016, "unauthorized_client", Refused),
    ],
)
async def test_why_a_renewal_fails_is_told_by_its_code(
    code: int, error: str, kind: type[NotObtained], provider: AzureProvider, entra: Entra
) -> None:
    await signing(provider, approving(entra))
    entra.faults.give(aadsts(code, "s3cret words of the service", error))

    with pytest.raises(kind, match=f"AADSTS{code}") as raised:
        await provider.obtain(feed_with(), READ)
    assert "s3cret" not in f"{raised.value} {raised.value.hint}"


async def test_a_renewal_without_a_network_is_an_outage(
    provider: AzureProvider, entra: Entra, proxy: ConnectProxy
) -> None:
    await signing(provider, approving(entra))
    for host in LOGIN_HOSTS:
        proxy.conduct(host, Conduct.REFUSE)

    with pytest.raises(Unavailable):
        await provider.obtain(feed_with(), READ)


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


async def test_without_a_sign_in_the_way_is_closed_and_the_hint_is_to_make_one(
    provider: AzureProvider, entra: Entra
) -> None:
    with pytest.raises(SignInNeeded, match="nobody has signed in with brokerctl login") as raised:
        await provider.obtain(feed_with(auth=["device-code", "browser"]), READ)

    assert raised.value.hint == "brokerctl login corp"
    assert not entra.requests.entries


async def test_two_organisations_in_two_tenants_are_signed_in_to_at_once(
    provider: AzureProvider, entra: Entra, cloud: AzureDevOps
) -> None:
    cloud.organisation("labs", tenant=OTHER_TENANT, feeds={"corp": []})
    labs = feed_with(at("labs"))
    await signing(provider, approving(entra))
    await signing(provider, approving(entra, "dev@labs.example", OTHER_TENANT), labs)

    one, other = [await provider.obtain(feed, READ) for feed in (feed_with(), labs)]

    assert (one.account, one.tenant) == (PERSON, TENANT)
    assert (other.account, other.tenant) == ("dev@labs.example", OTHER_TENANT)


async def test_two_accounts_of_one_organisation_have_a_sign_in_each(
    provider: AzureProvider, entra: Entra
) -> None:
    feeds = {who: feed_with(account=who) for who in (PERSON, "boss@acme.example")}
    for who, feed in feeds.items():
        await signing(provider, approving(entra, who), feed)

    assert [(await provider.obtain(feed, READ)).account for feed in feeds.values()] == list(feeds)


async def test_a_sign_in_in_memory_survives_a_new_configuration_and_not_the_daemon(
    provider: AzureProvider, entra: Entra, tools: Tools
) -> None:
    await signing(provider, approving(entra))
    async with Http() as new_way_out:
        reloaded = AzureProvider(replace(tools, http=new_way_out))
        credential = await reloaded.obtain(feed_with(), READ)
    restarted = AzureProvider(replace(tools, memory={}))

    assert credential.account == PERSON
    with pytest.raises(SignInNeeded):
        await restarted.obtain(feed_with(auth=["device-code"]), READ)


async def test_a_sign_in_in_a_file_survives_the_daemon_and_is_the_users_alone(
    provider: AzureProvider, entra: Entra, tools: Tools, home: Path
) -> None:
    signed_in = await signing(provider, approving(entra), in_file=True)
    credential = await AzureProvider(replace(tools, memory={})).obtain(feed_with(), READ)

    assert (signed_in.kept, credential.account) == (Kept.FILE, PERSON)
    assert grants(entra) == [PRESSED, RENEWED]
    assert sorted(path.suffix for path in saved(home)) == [".json", ".nocae"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in saved(home)} == {0o600}
    (record,) = (path for path in saved(home) if path.suffix == ".json")
    assert "token" not in record.read_text().replace("token-broker", "")


async def test_a_sign_in_in_memory_takes_the_place_of_one_in_a_file(
    provider: AzureProvider, entra: Entra, home: Path
) -> None:
    await signing(provider, approving(entra, "other@acme.example"), in_file=True)
    await signing(provider, approving(entra))

    assert not saved(home)
    assert (await provider.obtain(feed_with(), READ)).account == PERSON


async def test_a_saved_sign_in_that_points_at_a_stranger_is_none(
    provider: AzureProvider, entra: Entra, tools: Tools, home: Path
) -> None:
    await signing(provider, approving(entra), in_file=True)
    (record,) = (path for path in saved(home) if path.suffix == ".json")
    record.write_text(record.read_text().replace("login.microsoftonline.com", "login.evil.example"))

    with pytest.raises(SignInNeeded, match="nobody has signed in"):
        await AzureProvider(replace(tools, memory={})).obtain(feed_with(auth=["device-code"]), READ)


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"record": 1}'])
async def test_a_saved_sign_in_that_is_garbage_is_none(
    text: str, provider: AzureProvider, entra: Entra, tools: Tools, home: Path
) -> None:
    await signing(provider, approving(entra), in_file=True)
    (record,) = (path for path in saved(home) if path.suffix == ".json")
    record.write_text(text)

    with pytest.raises(SignInNeeded, match="nobody has signed in"):
        await AzureProvider(replace(tools, memory={})).obtain(feed_with(auth=["device-code"]), READ)


@pytest.mark.parametrize("in_file", [False, True])
async def test_signing_out_leaves_nothing_and_says_what_remains(
    in_file: bool, provider: AzureProvider, entra: Entra, home: Path
) -> None:
    await signing(provider, approving(entra), in_file=in_file)
    ended = await provider.sign_out(feed_with())

    assert ended.account == PERSON
    assert any("Entra still knows" in line for line in ended.remains)
    assert not saved(home)
    assert (await provider.sign_out(feed_with())).account is None
    with pytest.raises(SignInNeeded, match="nobody has signed in"):
        await provider.obtain(feed_with(auth=["device-code"]), READ)


async def test_marks_follow_a_sign_in_and_its_end(provider: AzureProvider, entra: Entra) -> None:
    marks = [provider.sign_in_marks(feed_with())]
    for _ in range(2):
        await signing(provider, approving(entra))
        marks.append(provider.sign_in_marks(feed_with()))
    await provider.sign_out(feed_with())

    assert len(set(marks)) == 3
    assert provider.sign_in_marks(feed_with()) == marks[0]


@pytest.mark.parametrize("ways", [BY_CODE, (Way.BROWSER,)])
async def test_giving_up_ends_the_waiting_thread(
    ways: tuple[Way, ...], provider: AzureProvider, entra: Entra
) -> None:
    steps = provider.sign_in(feed_with(), ways, in_file=False)
    assert isinstance(await anext(steps), Page)
    (waiting,) = [thread for thread in threading.enumerate() if thread.name == "azure-identity"]
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


def saved(home: Path) -> list[Path]:
    return [path for path in (home / ".IdentityService").rglob("*") if path.is_file()]
