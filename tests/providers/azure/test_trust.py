"""`ca = PEM` in the configuration reaches whoever signs in, and is trusted in place of all others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import Unavailable
from broker.core.feeds import READ
from broker.host.http import Http
from broker.providers.azure import sdk_client
from broker.providers.azure.azd import AzureDeveloperCli
from broker.providers.azure.azure_cli import AzureCli
from broker.providers.azure.identities import Bearer
from broker.providers.azure.provider import AzureProvider
from broker.providers.protocol import ProviderContext
from broker.providers.vendor_tool import ask_tool
from tests.providers.azure.feeds import TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from broker.host.child_process import Finished
    from tests.fakes.authority import Authority
    from tests.providers.azure.jobs import Job
    from tests.providers.programs import Workshop


def without_authorities(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if "CERT" not in name and "CA_BUNDLE" not in name}


async def test_an_application_signs_in_where_the_configured_authority_vouches(
    job: Job, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = without_authorities(dict(job.tools.environ))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"):
        monkeypatch.delenv(name)
    feed = job.feed("client-secret")

    async with Http(ca=authority.bundle) as http:
        credential = await AzureProvider(ProviderContext(http, environ, job.tools.now)).obtain(feed, READ)

    assert credential.tenant == TENANT


async def test_an_authority_that_is_not_the_configured_one_is_not_trusted(
    job: Job, tmp_path: Path, authority: Authority
) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(type(authority)(tmp_path).bundle.read_bytes())
    feed = job.feed("client-secret")

    async with Http(ca=stranger) as http:
        with pytest.raises(Unavailable, match="its certificate is not trusted"):
            await AzureProvider(ProviderContext(http, job.tools.environ, job.tools.now)).obtain(feed, READ)


@pytest.mark.parametrize("tool", ["az", "azd"])
async def test_the_sign_in_tools_are_told_whom_to_trust(
    tool: str, workshop: Workshop, tmp_path: Path
) -> None:
    key = "accessToken" if tool == "az" else "token"
    workshop.script(tool, f'printf \'{{"{key}": "%s"}}\' "$REQUESTS_CA_BUNDLE"')
    file = tmp_path / "ca.pem"
    way = AzureCli(workshop.environ, ca=file) if tool == "az" else AzureDeveloperCli(workshop.environ, file)

    bearer = await way.bearer(TENANT)

    assert isinstance(bearer, Bearer)
    assert bearer.token.reveal() == str(file)


async def test_the_configured_authority_takes_the_place_of_the_systems(
    job: Job, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def noted(name: str, argv: Sequence[str], environ: Mapping[str, str], ca: Path) -> Finished:
        asked.append(json.loads(argv[-1])["ca"])
        return await ask_tool(name, argv, environ, ca)

    monkeypatch.setattr(sdk_client, "ask_tool", noted)
    async with Http(ca=authority.bundle) as http:
        await AzureProvider(ProviderContext(http, job.tools.environ, job.tools.now)).obtain(
            job.feed("client-secret"), READ
        )

    assert asked == [str(authority.bundle)]
