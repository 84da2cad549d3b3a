"""Google behind the proxy, and a provider on a machine where nobody is signed in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.providers.google import provider as google_provider
from broker.providers.google.provider import GoogleProvider
from broker.providers.protocol import Provider, ProviderContext
from tests.fakes.authority import Authority
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.fixtures import authority
from tests.fakes.google import Files, Google
from tests.providers.google.feeds import Machine
from tests.providers.programs import Workshop

__all__ = ["authority"]


@pytest.fixture
def google() -> Google:
    """Google, healthy."""
    return Google()


@pytest.fixture
def proxy(google: Google, authority: Authority, workshop: Workshop) -> Iterator[ConnectProxy]:
    """The way to Google for every child of the test."""
    with ConnectProxy(authority) as running_proxy:
        google.attach(running_proxy)
        workshop.environ.update(running_proxy.environment(workshop.environ))
        yield running_proxy


@pytest.fixture
def files(workshop: Workshop) -> Files:
    """The credentials files of the home."""
    return Files(workshop.home)


@pytest.fixture
def machine(workshop: Workshop, files: Files, google: Google, proxy: ConnectProxy) -> Machine:
    """All of them."""
    return Machine(workshop, files, google, proxy)


@pytest.fixture
def provider(
    tools: ProviderContext, workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Provider:
    """A provider on a machine that is not Google's and has no gcloud, whatever this one is."""
    monkeypatch.setattr(google_provider, "PRODUCT", tmp_path / "no-such-product")
    workshop.environ["PATH"] = str(workshop.folder)
    return GoogleProvider(tools)
