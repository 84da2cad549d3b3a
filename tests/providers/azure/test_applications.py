"""Every way that an application or a machine signs in, the real azure-identity against the fake cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.core.feeds import READ
from tests.fakes.oidc import GITHUB_HOST, PIPELINES_HOST
from tests.providers.azure.feeds import TENANT
from tests.providers.azure.jobs import CLIENT, LOGIN_HOST, Job

if TYPE_CHECKING:
    from broker.providers.protocol import Provider
    from tests.fakes.organisation import Organisation

WAYS = {
    "client-secret": [LOGIN_HOST],
    "workload-identity": [LOGIN_HOST],
    "github-oidc": [LOGIN_HOST, GITHUB_HOST],
    "azure-pipelines": [LOGIN_HOST, PIPELINES_HOST],
    "managed-identity": [],
    "default": [LOGIN_HOST],
}


@pytest.mark.parametrize("way", WAYS)
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
