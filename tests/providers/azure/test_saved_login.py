"""Sign-ins that were made: renewed silently, kept where they may be, ended without a trace."""

from __future__ import annotations

import asyncio
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ
from broker.core.login_progress import Kept
from broker.host.http import Http
from broker.providers.azure.azure_transport import GivenUpError
from broker.providers.azure.login_store import LoginRecord
from broker.providers.azure.msal_login import Renewer, erase, renewed
from broker.providers.azure.provider import AzureProvider
from broker.providers.protocol import ProviderContext
from tests.fakes import faults
from tests.fakes.connect_proxy import Conduct
from tests.fakes.entra import LOGIN_HOSTS, aadsts
from tests.fakes.http1 import Response
from tests.fakes.journal import PATIENCE_S
from tests.providers.azure.feeds import OTHER_TENANT, PERSON, TENANT, at, feed_with
from tests.providers.azure.persons import (
    PRESSED,
    RENEWED,
    approving,
    entra,
    grants,
    home,
    saved,
    signing,
)
from tests.sampling import few

if TYPE_CHECKING:
    from tests.fakes.az import AzureCli
    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.entra import Entra
    from tests.fakes.organisation import Organisation

__all__ = ["entra", "home"]


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


async def test_a_sign_in_that_the_organisation_refuses_is_made_anew_with_us(
    provider: AzureProvider, entra: Entra, acme: Organisation
) -> None:
    await signing(provider, approving(entra))
    acme.exchange_faults.give(faults.azure_error(401, "TF400813: no"))

    with pytest.raises(Refused, match="does not take the sign-in") as raised:
        await provider.obtain(feed_with(), READ)

    assert raised.value.hint == "brokerctl login corp"


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    few(
        [
            (50076, "interaction_required", SignInNeeded),
            (53003, "invalid_grant", SignInNeeded),
            (12345, "invalid_grant", SignInNeeded),
            (90033, "temporarily_unavailable", Unavailable),
            (700016, "unauthorized_client", Refused),
        ],
        2,
    ),
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
    ("answer", "says", "retry_after_s"),
    [
        (faults.throttled(120), "answers 429", 120),
        (
            replace(aadsts(90055, "throttled"), status=429, headers=(("Retry-After", "7"),)),
            "answers 429",
            7,
        ),
        (faults.broken(503), "answers 503", None),
        (faults.html_garbage(), "answers 200 without a token", None),
        (faults.redirect("https://evil.example/"), "answers 302 without a token", None),
    ],
)
async def test_an_entra_that_has_no_time_or_shows_a_page_wants_no_person(
    answer: Response, says: str, retry_after_s: float | None, provider: AzureProvider, entra: Entra
) -> None:
    await signing(provider, approving(entra))
    entra.faults.give(answer)

    for _ in range(2):  # msal repeats the first by itself
        with pytest.raises(Unavailable, match=rf"^login\.microsoftonline\.com {says}$") as raised:
            await provider.obtain(feed_with(), READ)
        assert (raised.value.retry_after_s, raised.value.hint) == (retry_after_s, "brokerctl doctor")


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
    provider: AzureProvider, entra: Entra, tools: ProviderContext
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
    provider: AzureProvider, entra: Entra, tools: ProviderContext, home: Path
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
    provider: AzureProvider, entra: Entra, tools: ProviderContext, home: Path
) -> None:
    await signing(provider, approving(entra), in_file=True)
    (record,) = (path for path in saved(home) if path.suffix == ".json")
    record.write_text(record.read_text().replace("login.microsoftonline.com", "login.evil.example"))

    with pytest.raises(SignInNeeded, match="nobody has signed in"):
        await AzureProvider(replace(tools, memory={})).obtain(feed_with(auth=["device-code"]), READ)


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"record": 1}'])
async def test_a_saved_sign_in_that_is_garbage_is_none(
    text: str, provider: AzureProvider, entra: Entra, tools: ProviderContext, home: Path
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


class Turns:
    """The store's lock; `contended` is set when a thread has to wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.contended = threading.Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.contended.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


async def test_a_renewal_under_way_cannot_write_back_a_sign_in_that_is_ended(
    provider: AzureProvider, entra: Entra, tools: ProviderContext, home: Path
) -> None:
    await signing(provider, approving(entra), in_file=True)
    [found] = [each for each in tools.memory.values() if isinstance(each, LoginRecord)]
    [renewer] = found.live
    assert isinstance(renewer, Renewer)
    turns, ended, (record, cache) = Turns(), threading.Event(), sorted(saved(home))

    def sign_out() -> None:
        erase(signed_in)
        turns.contended.set()
        ended.set()

    class Late:
        """A library that has its answer, and keeps it while somebody signs out."""

        def get_token(self, scope: str, claims: str | None) -> AccessToken:
            threading.Thread(target=sign_out).start()
            turns.contended.wait(PATIENCE_S)
            cache.write_text('{"RefreshToken": {}}')
            return AccessToken(f"{scope} {claims}".replace(" ", "-"), 2_000_000_000)

    late: Any = [Renewer(Late(), renewer.wire)]  # type: ignore[arg-type]
    signed_in = replace(found, live=late, store=turns)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(renewed, signed_in, tools.http, loop)
    await asyncio.to_thread(ended.wait, PATIENCE_S)

    assert cache.read_text() == "{}"
    assert record.suffix == ".json"
    with pytest.raises(GivenUpError):
        renewed(signed_in, tools.http, loop)


async def test_marks_follow_a_sign_in_and_its_end(provider: AzureProvider, entra: Entra) -> None:
    fingerprint = [provider.sign_in_fingerprint(feed_with())]
    for _ in range(2):
        await signing(provider, approving(entra))
        fingerprint.append(provider.sign_in_fingerprint(feed_with()))
    await provider.sign_out(feed_with())

    assert len(set(fingerprint)) == 3
    assert provider.sign_in_fingerprint(feed_with()) == fingerprint[0]
