"""Fixtures that put the fakes together. A `conftest.py` takes them in with
`from tests.fakes.fixtures import authority, az, clients, cloud, http, proxy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fakes.authority import Authority, shared_authority
from tests.fakes.az import AzureCli
from tests.fakes.azure_devops import AzureDevOps
from tests.fakes.clients import Clients, clean_environment
from tests.fakes.connect_proxy import ConnectProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HTTP_TIMEOUT_S = 5.0


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The run's certificate authority."""
    return shared_authority()


@pytest.fixture
def proxy(authority: Authority) -> Iterator[ConnectProxy]:
    """The way to every fake host, running."""
    with ConnectProxy(authority) as running:
        yield running


@pytest.fixture
def http(proxy: ConnectProxy, authority: Authority) -> Iterator[httpx.Client]:
    """A client that goes through the proxy and follows no redirect."""
    with httpx.Client(
        proxy=proxy.url, verify=authority.client_context(), trust_env=False, timeout=HTTP_TIMEOUT_S
    ) as client:
        yield client


@pytest.fixture
def cloud(proxy: ConnectProxy) -> AzureDevOps:
    """Azure DevOps and Entra behind the proxy; organisations are for the test to add."""
    made = AzureDevOps()
    made.attach(proxy)
    return made


@pytest.fixture
def az(tmp_path: Path) -> Iterator[AzureCli]:
    """A healthy az that nobody is signed in to."""
    with AzureCli(tmp_path / "az") as program:
        yield program


@pytest.fixture
def clients(tmp_path: Path, proxy: ConnectProxy) -> Clients:
    """The real uv and pip, going through the proxy."""
    home = tmp_path / "home"
    home.mkdir()
    return Clients(home, proxy.environment(clean_environment(home)))
