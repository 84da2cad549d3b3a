"""A claims challenge goes to azure-identity as claims, and to a person as a line for az."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import Refused, SignInNeeded
from broker.core.feeds import READ
from broker.core.login_progress import LoginMethod
from broker.providers.azure.azure_cli import claims_login
from broker.providers.azure.identities import RESOURCE
from broker.providers.claims_challenge import encoded
from tests.fakes.az import aadsts_complaint
from tests.fakes.az_program import Conduct
from tests.providers.azure.feeds import PERSON, TENANT, feed_with
from tests.providers.azure.persons import approving, entra, home, signing
from tests.sampling import few

if TYPE_CHECKING:
    from broker.providers.azure.provider import AzureProvider
    from tests.fakes.az import AzureCli
    from tests.fakes.entra import Entra
    from tests.fakes.organisation import Organisation
    from tests.providers.azure.jobs import Job

__all__ = ["entra", "home"]

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'
AZ_LINE = f"az login --tenant {TENANT} --scope {RESOURCE}/.default --claims-challenge {encoded(CLAIMS)}"


@pytest.mark.parametrize(
    "way",
    few(["client-secret", "client-certificate", "workload-identity", "github-oidc", "azure-pipelines"], 2),
)
async def test_an_applications_next_token_is_asked_for_with_the_claims(
    way: str, job: Job, provider: AzureProvider, acme: Organisation
) -> None:
    acme.want_claims(CLAIMS)

    credential = await provider.obtain_with(job.feed(way), READ, CLAIMS)

    assert acme.identify_entra(credential.secret.reveal())
    assert credential.replacing is None


async def test_a_sign_in_of_a_person_is_renewed_with_the_claims(
    provider: AzureProvider, entra: Entra, acme: Organisation
) -> None:
    entra.lifetime_s = 3600
    feed = feed_with(auth=["device-code"], token="entra")
    await signing(provider, approving(entra), feed)
    acme.want_claims(CLAIMS)

    credential = await provider.obtain_with(feed, READ, CLAIMS)

    assert acme.identify_entra(credential.secret.reveal())
    assert credential.replacing == "brokerctl login corp"


async def test_a_sign_in_that_the_claims_need_a_person_for_is_made_with_them(
    provider: AzureProvider, entra: Entra, acme: Organisation
) -> None:
    feed = feed_with(auth=["device-code"], token="entra")
    await signing(provider, approving(entra), feed)
    acme.want_claims(CLAIMS)
    entra.signed_out.add(PERSON)
    with pytest.raises(SignInNeeded) as failure:
        await provider.obtain_with(feed, READ, CLAIMS)
    assert failure.value.hint == "brokerctl login corp"
    await signing(provider, approving(entra), feed, (LoginMethod.DEVICE_CODE,))

    assert [*entra.requests][-1].claims == CLAIMS


async def test_az_gives_what_it_has_and_the_line_that_takes_the_claims(
    provider: AzureProvider, signed_in: AzureCli, acme: Organisation
) -> None:
    credential = await provider.obtain_with(feed_with(), READ, CLAIMS)

    assert credential.replacing == AZ_LINE
    assert acme.identify(credential.secret.reveal())
    assert all("--claims" not in " ".join(call.arguments) for call in signed_in.calls)


async def test_the_line_for_az_names_the_folder_of_its_account(signed_in: AzureCli) -> None:
    line = claims_login({"AZURE_CONFIG_DIR": "~/.azure"}, "Dev@acme.com", "organizations", CLAIMS)

    assert signed_in
    assert line.startswith("AZURE_CONFIG_DIR=~/.azure-dev@acme.com az login --scope ")
    assert shlex.split(line)[-1] == encoded(CLAIMS)


async def test_an_authority_that_wants_claims_is_answered_by_an_application_at_once(
    job: Job, provider: AzureProvider, acme: Organisation
) -> None:
    acme.want_claims(CLAIMS)
    feed = job.feed("client-secret", token="session")

    credential = await provider.obtain(feed, READ)

    assert [exchange.status for exchange in acme.exchanges] == [401, 200]
    assert acme.identify(credential.secret.reveal())


async def test_an_authority_that_wants_claims_of_az_gets_the_line_to_type(
    provider: AzureProvider, signed_in: AzureCli, acme: Organisation
) -> None:
    acme.want_claims(CLAIMS)

    with pytest.raises(Refused) as failure:
        await provider.obtain(feed_with(), READ)

    assert signed_in
    assert failure.value.hint == AZ_LINE


async def test_an_az_that_fails_says_why_and_not_the_claims(
    provider: AzureProvider, signed_in: AzureCli, acme: Organisation
) -> None:
    acme.want_claims(CLAIMS)
    signed_in.behave(Conduct(mode="fail", complaint=aadsts_complaint(50173)))

    with pytest.raises(SignInNeeded) as failure:
        await provider.obtain_with(feed_with(), READ, CLAIMS)

    assert failure.value.hint == f"az login --tenant {TENANT}"
