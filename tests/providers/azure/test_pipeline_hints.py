from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.core.failures import NoSource, SignInNeeded, advice
from broker.core.feeds import READ
from broker.providers.azure.challenge import ORGANISATIONS
from broker.providers.azure.pipeline_hints import pipeline_lines
from tests.fakes import faults
from tests.providers.azure.feeds import LOGIN, TENANT, feed_with, leave

if TYPE_CHECKING:
    from broker.providers.protocol import Provider, ProviderContext
    from tests.fakes.az import AzureCli
    from tests.fakes.organisation import Organisation

PIPELINES = "add to the step in azure-pipelines.yml: env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }"
GITHUB = (
    "add to the job in .github/workflows: permissions: { id-token: write, contents: read } and "
    f"env: {{ AZURE_CLIENT_ID: APPLICATION, AZURE_TENANT_ID: {TENANT} }}"
)


@pytest.mark.parametrize(
    ("environ", "lines"),
    [
        ({"TF_BUILD": "True"}, PIPELINES),
        ({"GITHUB_ACTIONS": "true"}, GITHUB),
        ({"CI": "true"}, None),
        ({"GITHUB_ACTIONS": ""}, None),
    ],
)
def test_each_agent_has_its_lines(environ: dict[str, str], lines: str | None) -> None:
    assert pipeline_lines(environ, TENANT) == lines


def test_a_tenant_that_nobody_knows_is_left_out() -> None:
    lines = pipeline_lines({"GITHUB_ACTIONS": "true"}, ORGANISATIONS)

    assert lines is not None
    assert lines.endswith("env: { AZURE_CLIENT_ID: APPLICATION }")


@pytest.mark.parametrize(("hint", "end"), [(LOGIN, f"run: {LOGIN}"), (PIPELINES, PIPELINES)])
def test_lines_for_a_file_are_not_told_to_be_run(hint: str, end: str) -> None:
    assert advice(hint) == end


@pytest.mark.usefixtures("acme")
async def test_an_agent_is_told_its_lines_where_nothing_can_sign_in(
    provider: Provider, tools: ProviderContext, az: AzureCli
) -> None:
    az.uninstall()
    leave(tools, PATH=str(az.bin), TF_BUILD="True")

    with pytest.raises(NoSource) as raised:
        await provider.obtain(feed_with(), READ)

    assert raised.value.hint == PIPELINES


@pytest.mark.usefixtures("acme")
async def test_an_agent_is_told_its_lines_where_az_is_signed_out(
    provider: Provider, tools: ProviderContext, az: AzureCli
) -> None:
    az.sign_out()
    leave(tools, GITHUB_ACTIONS="true")

    with pytest.raises(SignInNeeded, match="az is signed out") as raised:
        await provider.obtain(feed_with(), READ)

    assert raised.value.hint == GITHUB


@pytest.mark.usefixtures("signed_in")
async def test_a_first_sign_in_needs_a_browser_on_an_agent_too(
    provider: Provider, tools: ProviderContext, acme: Organisation
) -> None:
    leave(tools, TF_BUILD="True")
    acme.exchange_faults.give(faults.never_signed_in())

    with pytest.raises(SignInNeeded) as raised:
        await provider.obtain(feed_with(), READ)

    assert raised.value.hint == "python3 -I -m webbrowser https://dev.azure.com/acme"
