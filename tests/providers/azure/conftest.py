"""The fake cloud and the fake az for providers of this folder, and what a provider needs to meet them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.host.clock import SystemClock
from broker.host.http import Http
from broker.providers.azure.provider import AzureProvider
from broker.providers.protocol import Provider, ProviderContext
from tests.fakes.fixtures import authority, az, cloud, proxy
from tests.fakes.loopback import WebServer
from tests.providers.azure.feeds import PERSON, TENANT
from tests.providers.azure.jobs import Job

if TYPE_CHECKING:
    from tests.fakes.az import AzureCli
    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.organisation import Organisation

__all__ = ["authority", "az", "cloud", "proxy"]


@pytest.fixture
def acme(cloud: AzureDevOps) -> Organisation:
    """An organisation with one feed."""
    return cloud.organisation("acme", tenant=TENANT, feeds={"corp": []})


@pytest.fixture
async def tools(
    proxy: ConnectProxy, az: AzureCli, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProviderContext]:
    """The way to the fake cloud, and an environment where az is on PATH and nobody left a token."""
    for name, value in proxy.environment({}).items():
        monkeypatch.setenv(name, value)
    home = os.environ.get("HOME", "/")
    async with Http() as http:
        yield ProviderContext(http, {"HOME": home, **az.environment}, lambda: SystemClock().now().wall)


@pytest.fixture
def job(
    tools: ProviderContext, cloud: AzureDevOps, proxy: ConnectProxy, acme: Organisation, tmp_path: Path
) -> Iterator[Job]:
    """An application, its jobs and its machine, and an organisation that takes its tokens."""
    assert acme
    made = Job(tools, cloud, proxy, tmp_path)
    with WebServer(made.identities) as made.machine:
        yield made


@pytest.fixture
def provider(tools: ProviderContext) -> Provider:
    """The provider under test."""
    return AzureProvider(tools)


@pytest.fixture
def signed_in(az: AzureCli) -> AzureCli:
    """An az that the person has signed in to."""
    az.sign_in(PERSON, [TENANT])
    return az
