"""The real botocore signs; JFrog's side is the fake's."""

import json

import pytest

from broker.core.failures import NoSource, Refused, SignInNeeded
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers import jfrog_aws
from broker.providers.artifactory import ArtifactoryProvider
from broker.providers.protocol import Provider, ProviderContext
from tests.fakes.artifactory import USER, Artifactory
from tests.fakes.aws import KEY_ID, SECRET_KEY, Home
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.fixtures import authority, proxy
from tests.providers.online import feed_of, tools
from tests.providers.programs import Workshop

__all__ = ["authority", "proxy", "tools"]

URL = parse_url("https://acme.jfrog.io/artifactory/api/pypi/internal/simple/")


@pytest.fixture
def jfrog(proxy: ConnectProxy) -> Artifactory:
    made = Artifactory()
    made.roles.add(KEY_ID)
    proxy.route("acme.jfrog.io", made)
    return made


@pytest.fixture
def provider(tools: ProviderContext, workshop: Workshop) -> Provider:
    workshop.environ |= {"AWS_EC2_METADATA_DISABLED": "true"}
    return ArtifactoryProvider(tools)


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, {"aws": "eu-west-1", **keys})


@pytest.mark.usefixtures("own_children")
async def test_a_role_is_exchanged_for_a_token(
    provider: Provider, jfrog: Artifactory, workshop: Workshop
) -> None:
    Home(workshop.home).key()

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.secret.reveal() in jfrog.packages.passwords
    assert (credential.username, credential.account, credential.source) == (USER, USER, "aws:default")
    [asked] = jfrog.requests.entries
    assert (asked.path, asked.query) == ("/access/api/v1/aws/token", {"region": "eu-west-1"})
    assert json.loads(asked.body) == {"expires_in": "3600"}
    assert SECRET_KEY not in str(asked)


async def test_a_role_that_no_user_has_is_refused(
    provider: Provider, jfrog: Artifactory, workshop: Workshop
) -> None:
    Home(workshop.home).key(profile="ci")
    jfrog.roles.clear()

    with pytest.raises(Refused, match=r"does not exchange this machine's AWS role \(status 401\)"):
        await provider.obtain(feed_with(provider, profile="ci"), READ)


@pytest.mark.usefixtures("jfrog")
async def test_what_aws_lacks_is_told(
    provider: Provider, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoSource, match="nobody is signed in to AWS"):
        await provider.obtain(feed_with(provider), READ)
    with pytest.raises(SignInNeeded, match="AWS has no such profile") as raised:
        await provider.obtain(feed_with(provider, profile="absent"), READ)
    assert raised.value.hint == "aws configure sso --profile absent"
    monkeypatch.setattr(jfrog_aws, "is_importable", lambda _: False)

    with pytest.raises(NoSource, match=r"the broker's extra \[aws\] brings it"):
        await provider.obtain(feed_with(provider), READ)

    assert workshop.environ


def test_a_new_key_changes_the_marks(provider: Provider, workshop: Workshop) -> None:
    before = provider.sign_in_fingerprint(feed_with(provider))
    Home(workshop.home).key()

    assert provider.sign_in_fingerprint(feed_with(provider)) != before
