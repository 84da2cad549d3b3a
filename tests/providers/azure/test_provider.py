import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest

from broker.core.credential import Secret
from broker.core.feeds import PUBLISH, READ, Feed
from broker.host.lookup_trace import TraceStep, tracing
from broker.providers.protocol import Provider, ProviderContext
from tests.contract.provider_contract import Hanging, ProviderContract
from tests.fakes import az as fake_az
from tests.fakes import faults
from tests.fakes.az_program import Conduct
from tests.fakes.azure_devops import AzureDevOps
from tests.fakes.organisation import NO_TENANT, Organisation
from tests.providers.azure.feeds import OTHER_TENANT, PERSON, TENANT, at, feed_with, leave


@pytest.mark.usefixtures("acme", "signed_in")
class TestAzureKeepsTheContract(ProviderContract):
    @pytest.fixture
    def feed(self) -> Feed:
        return feed_with()

    @pytest.fixture
    def secrets(self, tools: ProviderContext, cloud: AzureDevOps) -> list[str]:
        bearer = cloud.bearer(PERSON, "77777777-2222-3333-4444-555555555555")
        leave(tools, VSS_NUGET_ACCESSTOKEN=bearer)
        return [bearer, "s3cret"]

    @pytest.fixture
    def failing(self, cloud: AzureDevOps) -> dict[str, Feed]:
        cloud.organisation("strange", tenant=OTHER_TENANT, feeds={"corp": []})
        refusing = cloud.organisation("refusing", tenant=TENANT, feeds={"corp": []})
        refusing.exchange_faults.give(faults.azure_error(401, "TF400813: s3cret"))
        first = cloud.organisation("first", tenant=TENANT, feeds={"corp": []})
        first.exchange_faults.give(faults.never_signed_in("s3cret"))
        broken = cloud.organisation("broken", tenant=TENANT, feeds={"corp": []})
        broken.challenge_faults.give(faults.broken())
        names = ("strange", "refusing", "first", "broken", "absent")
        return {
            **{name: feed_with(at(name)) for name in names},
            "another tenant": feed_with(tenant=OTHER_TENANT),
            "another account": feed_with(account="boss@acme.example"),
            "on premises": feed_with("https://tfs.example.com/tfs/x/_packaging/corp/pypi/simple/"),
        }

    @pytest.fixture
    def hanging(self, az: fake_az.AzureCli) -> Hanging:
        az.behave(Conduct(mode="hang-with-grandchildren"))
        return Hanging(
            feed_with(),
            begun=lambda: az.wait_for_grandchildren(1),
            left=lambda: fake_az.still_alive((*az.grandchildren, *(call.pid for call in az.calls))),
        )

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"tenant": TENANT, "account": PERSON, "auth": ["azure-cli"], "token": "session"}


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(("scope", "asked"), [(READ, "vso.packaging"), (PUBLISH, "vso.packaging_write")])
async def test_a_person_gets_a_session_token_for_packages_alone(
    scope: str, asked: str, provider: Provider, acme: Organisation
) -> None:
    credential = await provider.obtain(feed_with(), scope)

    (exchange,) = acme.exchanges
    assert (exchange.scope, exchange.display_name, exchange.status) == (asked, "token-broker", 200)
    assert (exchange.token_type, exchange.user) == ("SelfDescribing", PERSON)
    issued = acme.issued.entries[0]
    assert credential.secret == Secret(issued.value)
    assert (credential.username, credential.source) == ("VssSessionToken", "azure-cli")
    assert (credential.account, credential.tenant) == (PERSON, TENANT)
    assert credential.expires_at == datetime.fromtimestamp(int(issued.expires_at), UTC)


@pytest.mark.usefixtures("signed_in")
async def test_the_other_host_form_leads_to_the_same_organisation(
    provider: Provider, acme: Organisation
) -> None:
    feed = feed_with("https://acme.pkgs.visualstudio.com/_packaging/corp/pypi/simple/")

    credential = await provider.obtain(feed, READ)

    assert acme.identify(credential.secret.reveal())


@pytest.mark.usefixtures("signed_in")
async def test_one_renewal_asks_the_feed_once_az_once_and_the_authority_once(
    provider: Provider, acme: Organisation, az: fake_az.AzureCli
) -> None:
    await provider.obtain(feed_with(), READ)

    assert [visit.credential for visit in acme.visits] == ["none"]
    assert len(az.calls) == 1
    assert len(acme.exchanges) == 1


@pytest.mark.usefixtures("signed_in")
async def test_four_hours_are_asked_for(provider: Provider, acme: Organisation) -> None:
    before = datetime.now(UTC)
    credential = await provider.obtain(feed_with(), READ)

    assert credential.expires_at is not None
    assert timedelta(hours=3.9) < credential.expires_at - before < timedelta(hours=4.1)
    assert acme.exchanges.entries[0].valid_to is not None


@pytest.mark.usefixtures("signed_in")
async def test_where_a_life_may_not_be_asked_for_the_service_decides(
    provider: Provider, acme: Organisation
) -> None:
    acme.refuses_valid_to = True
    acme.lifetime_s = 600.0

    credential = await provider.obtain(feed_with(), READ)

    assert [(one.valid_to is None, one.status) for one in acme.exchanges] == [(False, 400), (True, 200)]
    assert credential.expires_at is not None
    assert credential.expires_at - datetime.now(UTC) <= timedelta(minutes=10)


@pytest.mark.usefixtures("signed_in")
async def test_an_end_that_nobody_tells_is_unknown(provider: Provider, acme: Organisation) -> None:
    acme.tells_valid_to = acme.tells_exp = False

    assert (await provider.obtain(feed_with(), READ)).expires_at is None


async def test_an_app_gets_its_entra_token_as_it_is(
    provider: Provider, acme: Organisation, az: fake_az.AzureCli
) -> None:
    az.sign_in("a-pipeline", [TENANT], application=True)
    az.behave(Conduct(lifetime_s=3600))

    credential = await provider.obtain(feed_with(), READ)

    assert (credential.username, credential.account) == ("bearer", "a-pipeline")
    assert acme.identify_entra(credential.secret.reveal())
    assert credential.expires_at is not None
    assert credential.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    assert len(acme.exchanges) == 0


@pytest.mark.usefixtures("signed_in")
async def test_a_persons_entra_token_can_be_asked_for(provider: Provider, acme: Organisation) -> None:
    credential = await provider.obtain(feed_with(token="entra"), READ)

    assert credential.username == "bearer"
    assert acme.identify_entra(credential.secret.reveal())
    assert len(acme.exchanges) == 0


async def test_a_session_token_can_be_asked_for_an_app(
    provider: Provider, acme: Organisation, az: fake_az.AzureCli
) -> None:
    az.sign_in("a-pipeline", [TENANT], application=True)

    credential = await provider.obtain(feed_with(token="session"), READ)

    assert credential.username == "VssSessionToken"
    assert len(acme.exchanges) == 1


@pytest.mark.usefixtures("signed_in")
async def test_an_organisation_of_personal_accounts_is_signed_in_to_without_a_tenant(
    provider: Provider, cloud: AzureDevOps, az: fake_az.AzureCli
) -> None:
    cloud.organisation("acme", tenant=NO_TENANT, feeds={"corp": []})

    credential = await provider.obtain(feed_with(), READ)

    assert credential.username == "VssSessionToken"
    assert "--tenant" not in az.calls[0].arguments


async def test_two_organisations_in_two_tenants_are_obtained_at_once(
    provider: Provider, acme: Organisation, cloud: AzureDevOps, az: fake_az.AzureCli
) -> None:
    labs = cloud.organisation("labs", tenant=OTHER_TENANT, feeds={"corp": []})
    az.sign_in(PERSON, [TENANT, OTHER_TENANT])

    one, other = await asyncio.gather(
        provider.obtain(feed_with(), READ), provider.obtain(feed_with(at("labs")), READ)
    )

    assert (one.tenant, other.tenant) == (TENANT, OTHER_TENANT)
    assert acme.identify(one.secret.reveal())
    assert labs.identify(other.secret.reveal())
    assert not acme.identify(other.secret.reveal())


async def test_a_persons_token_that_was_left_is_exchanged(
    provider: Provider, tools: ProviderContext, acme: Organisation, cloud: AzureDevOps, az: fake_az.AzureCli
) -> None:
    leave(tools, ARTIFACTS_KEYRING_NOFUSS_TOKEN=cloud.bearer(PERSON, TENANT))

    credential = await provider.obtain(feed_with(), READ)

    assert (credential.source, credential.account) == ("env:ARTIFACTS_KEYRING_NOFUSS_TOKEN", PERSON)
    assert len(acme.exchanges) == 1
    assert az.calls == ()


async def test_a_pipelines_token_is_handed_through(
    provider: Provider, tools: ProviderContext, acme: Organisation
) -> None:
    token = acme.issue("a job").value
    leave(tools, SYSTEM_ACCESSTOKEN=token)

    credential = await provider.obtain(feed_with(), READ)

    assert (credential.username, credential.secret) == ("VssSessionToken", Secret(token))
    assert (credential.source, credential.tenant) == ("env:SYSTEM_ACCESSTOKEN", None)
    assert len(acme.exchanges) == 0


@pytest.mark.usefixtures("signed_in", "acme")
@pytest.mark.parametrize("left", ["ended", "of another tenant", "not taken"])
async def test_a_token_that_is_no_use_leaves_the_turn_to_az(
    left: str, provider: Provider, tools: ProviderContext, cloud: AzureDevOps
) -> None:
    tokens = {
        "ended": cloud.bearer(PERSON, TENANT, lifetime_s=-60),
        "of another tenant": cloud.bearer(PERSON, OTHER_TENANT),
        "not taken": cloud.bearer(PERSON, TENANT) + "x",
    }
    leave(tools, VSS_NUGET_ACCESSTOKEN=tokens[left])

    assert (await provider.obtain(feed_with(), READ)).source == "azure-cli"


@pytest.mark.usefixtures("signed_in", "acme")
async def test_the_configured_order_counts(
    provider: Provider, tools: ProviderContext, cloud: AzureDevOps
) -> None:
    leave(tools, VSS_NUGET_ACCESSTOKEN=cloud.bearer(PERSON, TENANT))

    by_default = await provider.obtain(feed_with(), READ)
    turned = await provider.obtain(feed_with(auth=["azure-cli", "env"]), READ)

    assert (by_default.source, turned.source) == ("env:VSS_NUGET_ACCESSTOKEN", "azure-cli")


@pytest.mark.usefixtures("signed_in", "acme")
async def test_marks_follow_az_and_the_variables_of_the_ways_that_are_tried(
    provider: Provider, tools: ProviderContext, az: fake_az.AzureCli
) -> None:
    by_env, by_both = feed_with(auth=["env"]), feed_with()
    before = [provider.sign_in_fingerprint(feed) for feed in (by_env, by_both)]
    az.sign_out()
    after_az = [provider.sign_in_fingerprint(feed) for feed in (by_env, by_both)]
    leave(tools, SYSTEM_ACCESSTOKEN="a")
    after_env = [provider.sign_in_fingerprint(feed) for feed in (by_env, by_both)]

    assert before[0] == after_az[0] != after_env[0]
    assert len({before[1], after_az[1], after_env[1]}) == 3


@pytest.mark.usefixtures("signed_in", "acme")
async def test_a_walk_is_told_aloud_to_whoever_listens(
    provider: Provider, tools: ProviderContext, cloud: AzureDevOps
) -> None:
    leave(tools, VSS_NUGET_ACCESSTOKEN=cloud.bearer(PERSON, OTHER_TENANT))
    heard: list[TraceStep] = []

    with tracing(heard.append):
        credential = await provider.obtain(feed_with(), READ)

    assert [(step.step, step.good) for step in heard] == [
        ("challenge", True),
        ("signed in", None),
        ("signed in", True),
        ("exchange", True),
    ]
    assert TENANT in heard[0].text
    assert "its token is of tenant" in heard[1].text
    assert re.fullmatch(rf"azure-cli: {PERSON} in [0-9.]+ m?s", heard[2].text)
    assert re.fullmatch(
        r"session token, scope vso\.packaging, ends [0-9]{2}:[0-9]{2} UTC \((239|240) min\)", heard[3].text
    )
    assert credential.secret.reveal() not in repr(heard)


@pytest.mark.usefixtures("signed_in", "acme")
async def test_what_was_tried_in_vain_is_told_at_debug_level(
    provider: Provider, tools: ProviderContext, cloud: AzureDevOps, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "broker.providers.azure")
    leave(tools, VSS_NUGET_ACCESSTOKEN=cloud.bearer(PERSON, OTHER_TENANT))

    await provider.obtain(feed_with(), READ)

    assert "sign_in_skipped realm=organisation acme source=env: env:VSS_NUGET_ACCESSTOKEN" in caplog.text
