"""Feeds as tests configure them, and what a provider is made with that reaches fakes over the proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from broker.core.feeds import Feed
from broker.host.http import Http
from broker.providers.protocol import ProviderContext
from broker.providers.recognise.services import realm_of
from tests.providers.conftest import NOW

if TYPE_CHECKING:
    from broker.core.urls import Url
    from broker.providers.protocol import Provider
    from tests.fakes.authority import Authority
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.providers.programs import Workshop


@asynccontextmanager
async def online(authority: Authority, workshop: Workshop) -> AsyncIterator[ProviderContext]:
    """What a provider is made with; the way there is the process's own HTTPS_PROXY."""
    async with Http(authority.bundle) as http:
        yield ProviderContext(http, workshop.environ, lambda: NOW)


@pytest.fixture
async def tools(
    authority: Authority, proxy: ConnectProxy, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProviderContext]:
    """What a provider is made with whose services are behind the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    async with online(authority, workshop) as made:
        yield made


def feed_of(provider: Provider, url: Url, keys: dict[str, object]) -> Feed:
    """A feed at `url` whose table has these keys."""
    settings = provider.settings.model_validate(keys)
    return Feed(
        name="corp",
        realm=realm_of(url, provider.name),
        prefixes=(url,),
        identity=provider.identity(settings),
        kind=provider.kind(settings),
        username=provider.username(settings),
        settings=settings,
    )
