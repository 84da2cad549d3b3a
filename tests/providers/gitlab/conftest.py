"""A GitLab behind the proxy, under gitlab.com's name and one of a company's own."""

from collections.abc import AsyncIterator

import pytest

from broker.host.http import Http
from broker.providers.gitlab import GitLabProvider
from broker.providers.protocol import Provider, ProviderContext
from tests.fakes.authority import Authority
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.fixtures import authority, proxy
from tests.fakes.gitlab import GitLab, Token
from tests.providers.conftest import NOW
from tests.providers.gitlab.feeds import TOKEN
from tests.providers.programs import Workshop

__all__ = ["authority", "proxy"]


@pytest.fixture
def gitlab(proxy: ConnectProxy) -> GitLab:
    """One GitLab under two names."""
    made = GitLab()
    for host in ("gitlab.com", "git.example.com"):
        proxy.route(host, made)
    return made


@pytest.fixture
async def provider(
    gitlab: GitLab,
    proxy: ConnectProxy,
    authority: Authority,
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Provider]:
    """A provider whose user has a personal token."""
    monkeypatch.setattr(GitLabProvider, "_groups", {})
    gitlab.tokens[TOKEN] = Token()
    workshop.environ["GITLAB_TOKEN"] = TOKEN
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    async with Http(authority.bundle) as http:
        yield GitLabProvider(ProviderContext(http, workshop.environ, lambda: NOW))
