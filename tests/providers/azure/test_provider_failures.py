from collections.abc import Callable

import pytest

from broker.core.failures import NoSource, NotNeeded, NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ
from broker.providers.protocol import Provider, ProviderContext
from tests.fakes import az as fake_az
from tests.fakes import faults
from tests.fakes.az_program import Conduct
from tests.fakes.azure_devops import AzureDevOps
from tests.fakes.connect_proxy import Conduct as ProxyConduct
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.organisation import NO_TENANT, Organisation
from tests.providers.azure.feeds import LOGIN, OTHER_TENANT, PERSON, TENANT, feed_with, leave


@pytest.mark.usefixtures("acme")
async def test_where_nothing_could_ever_sign_in_the_network_is_left_alone(
    provider: Provider, az: fake_az.AzureCli, proxy: ConnectProxy, tools: ProviderContext
) -> None:
    az.uninstall()
    leave(tools, PATH=str(az.bin))

    with pytest.raises(NoSource) as raised:
        await provider.obtain(feed_with(tenant=TENANT), READ)

    assert raised.value.detail == (
        "nothing here can sign in to organisation acme (env: no token variable, token file or build secret; "
        "azure-cli: az is not on the broker's PATH)"
    )
    assert raised.value.hint == "brokerctl login corp"
    assert len(proxy.contacts) == 0


@pytest.mark.usefixtures("acme")
async def test_where_every_way_was_skipped_nothing_can_sign_in(
    provider: Provider, tools: ProviderContext, cloud: AzureDevOps, az: fake_az.AzureCli
) -> None:
    leave(tools, PATH="/nonexistent", VSS_NUGET_ACCESSTOKEN=cloud.bearer(PERSON, OTHER_TENANT))
    assert az

    with pytest.raises(
        NoSource, match=f"env:VSS_NUGET_ACCESSTOKEN: its token is of tenant {OTHER_TENANT}"
    ) as raised:
        await provider.obtain(feed_with(), READ)

    assert raised.value.hint == "brokerctl login corp"


@pytest.mark.usefixtures("acme")
async def test_signed_out_for_certain_drops_the_held_token(provider: Provider, az: fake_az.AzureCli) -> None:
    az.sign_out()

    with pytest.raises(SignInNeeded) as raised:
        await provider.obtain(feed_with(), READ)

    assert (raised.value.hint, raised.value.drops_token) == (LOGIN, True)
    assert not isinstance(raised.value, NoSource)


@pytest.mark.usefixtures("acme")
async def test_signed_out_drops_nothing_that_another_way_may_have_given(
    provider: Provider, tools: ProviderContext, cloud: AzureDevOps, az: fake_az.AzureCli
) -> None:
    az.sign_out()
    leave(tools, VSS_NUGET_ACCESSTOKEN=cloud.bearer(PERSON, TENANT, lifetime_s=-60))

    with pytest.raises(SignInNeeded, match="az is signed out") as raised:
        await provider.obtain(feed_with(), READ)

    assert not raised.value.drops_token


@pytest.mark.usefixtures("acme")
async def test_a_failure_that_may_pass_comes_before_one_that_needs_a_person(
    provider: Provider, tools: ProviderContext, cloud: AzureDevOps, az: fake_az.AzureCli
) -> None:
    leave(tools, VSS_NUGET_ACCESSTOKEN=cloud.bearer("boss@acme.example", TENANT))
    az.behave(Conduct(mode="fail", complaint=fake_az.OFFLINE))

    with pytest.raises(Unavailable, match="az cannot reach"):
        await provider.obtain(feed_with(account=PERSON), READ)


@pytest.mark.usefixtures("signed_in", "acme")
@pytest.mark.parametrize(
    ("account", "fits"), [(PERSON, True), (PERSON.upper(), True), ("boss@acme.example", False)]
)
async def test_only_the_configured_account_will_do(
    account: str, fits: bool, provider: Provider, az: fake_az.AzureCli
) -> None:
    if fits:
        assert (await provider.obtain(feed_with(account=account), READ)).account == PERSON
        return

    with pytest.raises(SignInNeeded) as raised:
        await provider.obtain(feed_with(account=account), READ)

    assert raised.value.detail == (
        f"azure-cli gives a token of {PERSON}, organisation acme is configured for {account}"
    )
    own = f"AZURE_CONFIG_DIR={az.config_dir}-{account} {LOGIN}"
    assert (raised.value.hint, raised.value.drops_token) == (own, True)


async def test_a_token_of_nobody_known_is_not_the_configured_accounts(
    provider: Provider, tools: ProviderContext, acme: Organisation, az: fake_az.AzureCli
) -> None:
    leave(tools, PATH="/nonexistent", SYSTEM_ACCESSTOKEN=acme.issue(PERSON).value)
    assert az

    with pytest.raises(SignInNeeded, match="does not say whose its token is") as raised:
        await provider.obtain(feed_with(account=PERSON), READ)

    assert not raised.value.drops_token


@pytest.mark.usefixtures("signed_in", "acme")
@pytest.mark.parametrize(
    ("tenant", "fits"), [(TENANT.upper(), True), ("acme.example", True), (OTHER_TENANT, False)]
)
async def test_a_configured_tenant_must_be_the_organisations_own(
    tenant: str, fits: bool, provider: Provider, az: fake_az.AzureCli
) -> None:
    if fits:
        assert (await provider.obtain(feed_with(tenant=tenant), READ)).tenant == TENANT
        return

    with pytest.raises(Refused, match=f"is of tenant {TENANT}, the configuration says {OTHER_TENANT}"):
        await provider.obtain(feed_with(tenant=tenant), READ)

    assert az.calls == ()


@pytest.mark.usefixtures("signed_in")
async def test_an_organisation_of_personal_accounts_takes_the_configured_tenant(
    provider: Provider, cloud: AzureDevOps, az: fake_az.AzureCli
) -> None:
    cloud.organisation("acme", tenant=NO_TENANT, feeds={"corp": []})

    await provider.obtain(feed_with(tenant=TENANT), READ)

    assert az.calls[0].arguments[4:6] == ("--tenant", TENANT)


@pytest.mark.usefixtures("signed_in")
async def test_a_public_feed_wants_no_credential(
    provider: Provider, acme: Organisation, az: fake_az.AzureCli
) -> None:
    acme.feed("corp").public = True

    with pytest.raises(NotNeeded, match="feed corp is public"):
        await provider.obtain(feed_with(), READ)

    assert az.calls == ()


Fault = Callable[[Organisation], None]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("fault", "kind", "complaint"),
    [
        (lambda acme: acme.challenge_faults.give(faults.broken()), Unavailable, "answers 500"),
        (lambda acme: acme.challenge_faults.give(faults.throttled()), Unavailable, "answers 429"),
        (lambda acme: acme.challenge_faults.give(faults.not_found()), Refused, "answers 404"),
        (lambda acme: acme.exchange_faults.give(faults.broken(503)), Unavailable, "answers 503"),
        (lambda acme: acme.exchange_faults.give(faults.throttled()), Unavailable, "answers 429"),
        (lambda acme: acme.exchange_faults.give(faults.half_answer()), Unavailable, "vssps.dev.azure.com"),
        (lambda acme: acme.exchange_faults.give(faults.html_garbage()), Unavailable, "without a token"),
        (lambda acme: acme.exchange_faults.give(faults.forbidden()), Refused, "403, TF400813"),
        (lambda acme: acme.exchange_faults.give(faults.not_found()), Refused, "404, TF400898"),
        (lambda acme: acme.exchange_faults.give(faults.redirect("https://evil.example")), Refused, "302"),
        (lambda acme: acme.exchange_faults.give(faults.never_signed_in()), SignInNeeded, "TF401444"),
        (
            lambda acme: acme.exchange_faults.give(faults.azure_error(401, "TF400813: no")),
            Refused,
            f"organisation acme does not take the sign-in of {PERSON} .401, TF400813.",
        ),
    ],
)
async def test_a_service_that_says_no_is_told_from_one_in_trouble(
    fault: Fault, kind: type[NotObtained], complaint: str, provider: Provider, acme: Organisation
) -> None:
    fault(acme)

    with pytest.raises(kind, match=complaint):
        await provider.obtain(feed_with(), READ)


@pytest.mark.usefixtures("signed_in", "acme")
async def test_a_host_that_cannot_be_reached_is_unavailable(provider: Provider, proxy: ConnectProxy) -> None:
    proxy.conduct("pkgs.dev.azure.com", ProxyConduct.REFUSE)

    with pytest.raises(Unavailable, match="refused the connection to pkgs"):
        await provider.obtain(feed_with(), READ)
