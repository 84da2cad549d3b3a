"""Where a look-up is led: sovereign clouds, servers on premises, public feeds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from broker.core.failures import NotNeeded, Refused
from broker.core.feeds import READ
from broker.core.urls import parse_url
from tests.fakes.session_tokens import answer_exchange
from tests.providers.azure.feeds import FEED, TENANT, feed_with, leave
from tests.providers.azure.jobs import CLIENT, Job

if TYPE_CHECKING:
    from broker.core.feeds import Feed
    from broker.providers.protocol import Provider, ProviderContext
    from tests.fakes.az import AzureCli
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.fakes.http1 import Headers
    from tests.fakes.organisation import Organisation

SOVEREIGN = "login.microsoftonline.us"
AUTHORITY = "vssps.azure.example"
ON_PREMISES = "https://tfs.example.com/tfs/x/_packaging/corp/pypi/simple/"


def challenge(login: str, authority: str) -> Headers:
    return (
        ("WWW-Authenticate", f"Bearer authorization_uri=https://{login}/{TENANT}"),
        ("X-VSS-AuthorizationEndpoint", f"https://{authority}/acme/"),
    )


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("keys", "fits"),
    [
        ({"login_hosts": [SOVEREIGN], "authorities": [AUTHORITY]}, True),
        ({"login_hosts": [SOVEREIGN]}, False),
        ({"authorities": [AUTHORITY]}, False),
        ({}, False),
    ],
)
async def test_a_sovereign_clouds_hosts_are_taken_where_the_configuration_names_them(
    keys: dict[str, Any],
    fits: bool,
    provider: Provider,
    acme: Organisation,
    proxy: ConnectProxy,
) -> None:
    acme.challenge = challenge(SOVEREIGN, AUTHORITY)
    proxy.route(AUTHORITY, partial(answer_exchange, acme))
    if not fits:
        with pytest.raises(Refused):
            await provider.obtain(feed_with(**keys), READ)
        assert len(acme.exchanges) == 0
        return

    await provider.obtain(feed_with(**keys), READ)

    assert len(acme.exchanges) == 1
    assert AUTHORITY in proxy.hosts


async def test_an_application_signs_in_at_the_sovereign_cloud(
    provider: Provider, job: Job, acme: Organisation
) -> None:
    acme.challenge = challenge(SOVEREIGN, "vssps.dev.azure.com")
    job.proxy.route(SOVEREIGN, job.cloud.entra)

    credential = await provider.obtain(job.feed("github-oidc", login_hosts=[SOVEREIGN]), READ)

    assert credential.account == CLIENT
    assert SOVEREIGN in job.proxy.hosts
    assert "login.microsoftonline.com" not in job.proxy.hosts


async def test_a_server_on_premises_takes_a_personal_access_token(
    provider: Provider, tools: ProviderContext, proxy: ConnectProxy
) -> None:
    leave(tools, TFS_PAT="a-personal-access-token")

    credential = await provider.obtain(feed_with(ON_PREMISES, secret="env:TFS_PAT"), READ)

    assert (credential.secret.reveal(), credential.source) == ("a-personal-access-token", "env:TFS_PAT")
    assert len(proxy.contacts) == 0


async def test_a_server_on_premises_gets_no_bearer(
    provider: Provider, proxy: ConnectProxy, signed_in: AzureCli
) -> None:
    with pytest.raises(Refused, match="is not Azure DevOps Services: write secret, where its token is"):
        await provider.obtain(feed_with(ON_PREMISES), READ)

    assert signed_in.calls == ()
    assert len(proxy.contacts) == 0


@pytest.mark.usefixtures("signed_in")
async def test_a_configured_feed_that_is_public_needs_nothing(provider: Provider, acme: Organisation) -> None:
    acme.feed("corp").public = True

    with pytest.raises(NotNeeded, match="feed corp is public: it wants no credential"):
        await provider.obtain(feed_with(), READ)


def learned() -> Feed:
    root = parse_url("https://pkgs.dev.azure.com/acme/")
    return replace(feed_with(), configured=False, prefixes=(parse_url(FEED), root))


@pytest.mark.usefixtures("signed_in")
async def test_a_public_feed_does_not_speak_for_its_organisations_other_feeds(
    provider: Provider, acme: Organisation
) -> None:
    acme.feed("corp").public = True

    credential = await provider.obtain(learned(), READ)

    assert acme.identify(credential.secret.reveal())
