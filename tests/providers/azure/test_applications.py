"""Every way that an application or a machine signs in, the real azure-identity against the fake cloud."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import NoSource, Refused, Unavailable
from broker.core.feeds import READ
from broker.providers.azure import sdk_client
from broker.providers.azure.applications import renewal_of_pat
from broker.providers.azure.entra_errors import failure_of_app
from broker.providers.azure.settings import AzureSettings
from broker.providers.azure.workloads import ManagedIdentity
from broker.providers.vendor_tool import ask_tool
from tests.fakes import faults
from tests.fakes.oidc import GITHUB_HOST, JOB_TOKEN, PIPELINES_HOST
from tests.providers.azure.feeds import TENANT, feed_with, leave
from tests.providers.azure.jobs import (
    CLIENT,
    CONNECTION,
    LOGIN_HOST,
    SECRET,
    Job,
    sealed_certificate,
    signing_in,
)
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from broker.host.child_process import Finished
    from broker.providers.protocol import Provider, ProviderContext
    from tests.fakes.az import AzureCli
    from tests.fakes.organisation import Organisation

WAYS = {
    "client-secret": [LOGIN_HOST],
    "client-certificate": [LOGIN_HOST],
    "workload-identity": [LOGIN_HOST],
    "github-oidc": [LOGIN_HOST, GITHUB_HOST],
    "azure-pipelines": [LOGIN_HOST, PIPELINES_HOST],
    "managed-identity": [],
    "default": [LOGIN_HOST],
}


@pytest.mark.parametrize("way", sampled(list(WAYS), ["client-secret", "github-oidc"]))
@pytest.mark.usefixtures("own_children")
async def test_an_application_gets_its_entra_token(
    way: str, job: Job, provider: Provider, acme: Organisation
) -> None:
    credential = await provider.obtain(job.feed(way), READ)

    assert (credential.username, credential.account, credential.tenant) == ("bearer", CLIENT, TENANT)
    assert credential.source == {"default": "azure-identity"}.get(way, way)
    assert credential.expires_at is not None
    assert acme.identify_entra(credential.secret.reveal())
    assert len(acme.exchanges) == 0
    assert job.proxy.hosts == sorted([*WAYS[way], "pkgs.dev.azure.com"])
    asked = {request.scope for request in job.cloud.entra.requests}
    assert asked <= {"499b84ac-1321-427f-aa17-267ca6975798/.default"}


async def test_a_certificates_password_is_its_secret(provider: Provider, job: Job) -> None:
    sealed = job.file("app.pfx", sealed_certificate("p4ssword"))
    keys = {"certificate": str(sealed), "secret": f"file:{job.file('password', 'p4ssword')}"}

    credential = await provider.obtain(job.feed("client-certificate", **keys), READ)

    assert credential.account == CLIENT


async def test_a_secret_may_be_in_the_variables_of_azure_identity(
    provider: Provider, tools: ProviderContext, job: Job
) -> None:
    """As Microsoft's pages for EnvironmentCredential write it."""
    job.register(secret=SECRET)
    leave(tools, AZURE_CLIENT_ID=CLIENT, AZURE_CLIENT_SECRET=SECRET, AZURE_TENANT_ID=TENANT)

    credential = await provider.obtain(feed_with(auth=["client-secret"]), READ)

    assert (credential.account, credential.source) == (CLIENT, "client-secret")
    assert job.proxy.hosts == sorted([LOGIN_HOST, "pkgs.dev.azure.com"])


def test_the_identity_of_an_azure_ml_compute_is_the_one_it_names(tools: ProviderContext) -> None:
    """Its endpoint answers no other (azure-sdk-for-python#30427)."""
    leave(tools, MSI_ENDPOINT="http://127.0.0.1/msi", DEFAULT_IDENTITY_CLIENT_ID=CLIENT)
    feed = feed_with()

    of_ml = ManagedIdentity(tools, AzureSettings(), feed)
    configured = ManagedIdentity(tools, AzureSettings(client_id=CONNECTION), feed)

    assert (of_ml.unavailable_reason(), of_ml.fingerprint()) == (None, CLIENT)
    assert configured.fingerprint() == CONNECTION


def test_an_old_federated_token_is_told_by_the_way_it_came() -> None:
    cluster = failure_of_app("700024", "workload-identity", "cure")
    job = failure_of_app("700024", "github-oidc", "cure")

    assert isinstance(cluster, Unavailable)
    assert "the token in AZURE_FEDERATED_TOKEN_FILE has expired" in cluster.detail
    assert isinstance(job, Refused)
    assert "is this machine's clock right?" in job.detail


@pytest.mark.parametrize(
    ("way", "missing"),
    [
        (
            "client-secret",
            "neither client_id nor AZURE_CLIENT_ID is set and neither secret nor AZURE_CLIENT_SECRET",
        ),
        ("client-certificate", "neither client_id nor AZURE_CLIENT_ID is set"),
    ],
)
async def test_what_an_application_lacks_is_named(
    way: str, missing: str, provider: Provider, job: Job
) -> None:
    assert job
    with pytest.raises(NoSource, match=missing):
        await provider.obtain(feed_with(auth=[way]), READ)


async def test_a_personal_access_token_is_handed_through(
    provider: Provider, job: Job, acme: Organisation
) -> None:
    token = acme.issue("dev@acme.example").value
    secret = f"file:{job.file('pat', token)}"

    credential = await provider.obtain(feed_with(secret=secret), READ)

    assert (credential.username, credential.secret.reveal()) == ("VssSessionToken", token)
    assert credential.source == secret
    assert len(acme.exchanges) == 0


async def test_an_application_can_have_a_session_token(
    provider: Provider, job: Job, acme: Organisation
) -> None:
    credential = await provider.obtain(job.feed("managed-identity", token="session"), READ)

    assert credential.username == "VssSessionToken"
    assert [exchange.user for exchange in acme.exchanges] == [CLIENT]


async def test_a_machine_without_a_client_id_is_itself(provider: Provider, job: Job) -> None:
    leave(job.tools, **job.identities.imds_environment(job.machine))

    credential = await provider.obtain(feed_with(), READ)

    assert (credential.account, credential.source) == ("machine", "managed-identity")


@pytest.mark.parametrize("way", ["github-oidc", "workload-identity"])
async def test_what_a_job_brings_along_signs_in_by_default(way: str, provider: Provider, job: Job) -> None:
    job.feed(way)
    leave(job.tools, AZURE_CLIENT_ID=CLIENT, PATH="/nonexistent")

    credential = await provider.obtain(feed_with(), READ)

    assert (credential.account, credential.source) == (CLIENT, way)


async def test_a_tasks_service_connection_needs_no_keys(provider: Provider, job: Job) -> None:
    job.feed("azure-pipelines")
    leave(
        job.tools,
        AZURESUBSCRIPTION_CLIENT_ID=CLIENT,
        AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=CONNECTION,
    )

    credential = await provider.obtain(feed_with(auth=["azure-pipelines"]), READ)

    assert (credential.account, credential.source) == (CLIENT, "azure-pipelines")


async def test_a_netrc_entry_is_not_sent_in_place_of_the_bearer(provider: Provider, job: Job) -> None:
    leave(job.tools, NETRC=str(job.file("netrc", "default login dev password s3cret-of-another-host\n")))

    credential = await provider.obtain(job.feed("azure-pipelines"), READ)

    assert credential.source == "azure-pipelines"


async def test_nothing_is_probed_where_nothing_says_that_it_is_there(
    provider: Provider, job: Job, az: AzureCli
) -> None:
    az.uninstall()
    leave(job.tools, PATH=str(az.bin))

    with pytest.raises(NoSource):
        await provider.obtain(feed_with(), READ)

    assert (job.proxy.hosts, len(job.identities.requests)) == ([], 0)


@pytest.mark.usefixtures("own_children")
async def test_a_sign_in_that_is_given_up_leaves_no_process(provider: Provider, job: Job) -> None:
    job.identities.faults.give(faults.silence())
    feed = job.feed("managed-identity")
    attempt = asyncio.create_task(provider.obtain(feed, READ))
    await asyncio.to_thread(job.identities.requests.wait_for, 1)
    assert len(signing_in()) == 1

    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt

    assert signing_in() == []


async def test_no_secret_is_on_a_command_line(
    provider: Provider, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Sequence[str]] = []

    async def noted(name: str, argv: Sequence[str], environ: Mapping[str, str], ca: None) -> Finished:
        seen.append(argv)
        return await ask_tool(name, argv, environ, ca)

    monkeypatch.setattr(sdk_client, "ask_tool", noted)
    for way in ("client-secret", "github-oidc", "azure-pipelines"):
        await provider.obtain(job.feed(way), READ)

    assert len(seen) == 3
    assert not any(secret in repr(seen) for secret in (SECRET, JOB_TOKEN, "eyJ"))


@pytest.mark.parametrize("way", ["workload-identity", "managed-identity"])
def test_another_client_in_the_environment_changes_the_marks(
    way: str, provider: Provider, tools: ProviderContext
) -> None:
    before = provider.sign_in_fingerprint(feed_with(auth=[way]))

    leave(tools, AZURE_CLIENT_ID=CLIENT)

    assert provider.sign_in_fingerprint(feed_with(auth=[way])) != before


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (datetime(2026, 11, 30, tzinfo=UTC), "make another at "),
        (datetime(2026, 12, 1, tzinfo=UTC), "global PATs have ended on 1 December 2026: put a token of one "),
    ],
)
def test_refused_pat_is_read_by_the_day(day: datetime, told: str) -> None:
    line = renewal_of_pat("acme", "file:~/pat", day)

    assert line.startswith(told)
    assert "https://dev.azure.com/acme/_usersSettings/tokens" in line
    assert "file:~/pat" in line
