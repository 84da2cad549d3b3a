import pytest

from broker.core.credential import Credential, Secret
from broker.core.failures import Refused
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.nexus import NexusProvider
from broker.providers.protocol import Provider, ProviderContext
from broker.providers.recognise.services import spellings_of
from tests.contract.kept_secret_contract import KeptSecretContract
from tests.providers.online import feed_of
from tests.providers.programs import Workshop

HOST = "nexus.example.com"
URL = parse_url(f"https://{HOST}/repository/internal/simple/")


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, keys)


@pytest.fixture
def provider(tools: ProviderContext, workshop: Workshop) -> Provider:
    workshop.file(".netrc", f"machine {HOST} login s3cret-name password s3cret-pass")
    workshop.environ["PASSWORD"] = "s3cret-password"
    return NexusProvider(tools)


class TestNexusKeepsTheContract(KeptSecretContract):
    def made(self, provider: Provider, **keys: object) -> Feed:
        return feed_with(provider, **keys)

    @pytest.fixture
    def feed(self, provider: Provider) -> Feed:
        return feed_with(provider, username="ci", secret="env:PASSWORD")

    @pytest.fixture
    def failing(self, provider: Provider) -> dict[str, Feed]:
        return {
            "half a pair": feed_with(provider, secret="env:PASSWORD"),
            "nothing": feed_with(provider, secret="env:ABSENT"),
            "another's": feed_with(provider, username="ci", secret="netrc"),
        }

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"username": "ci", "secret": "netrc"}


async def test_a_user_token_is_a_pair_that_netrc_keeps(provider: Provider) -> None:
    credential = await provider.obtain(feed_with(provider, secret="netrc"), READ)

    assert credential == Credential(
        "s3cret-name",
        Secret("s3cret-pass"),
        None,
        source="netrc",
        account=None,
        is_personal=True,
        has_secret_name=True,
        manual_renewal="put another into netrc",
    )


async def test_half_a_pair_is_refused(provider: Provider) -> None:
    with pytest.raises(Refused, match="env:PASSWORD has no username"):
        await provider.obtain(feed_with(provider, secret="env:PASSWORD"), READ)


def test_only_the_configured_username_is_answered(provider: Provider) -> None:
    feed = feed_with(provider, username="ci", secret="env:PASSWORD")

    assert feed.answers("ci")
    assert not feed.answers("somebody")


@pytest.mark.parametrize(
    ("provider_name", "url"),
    [
        ("nexus", f"https://{HOST}/repository/internal/simple/"),
        ("artifactory", "https://a.example.com:8443/artifactory/api/pypi/internal/simple"),
        ("gitlab", "https://git.example.com/api/v4/projects/42/packages/pypi/simple/"),
    ],
)
def test_files_beside_the_index_belong_to_the_feed(provider_name: str, url: str) -> None:
    (place,) = spellings_of(parse_url(url), provider_name)

    assert place.covers(parse_url(url))
    assert place.covers(parse_url(url.rstrip("/").removesuffix("simple") + "packages/demo/1.0/demo.whl"))


def test_nothing_is_added_to_an_address_of_another_form() -> None:
    assert spellings_of(parse_url(f"https://{HOST}/repository/internal/"), "nexus") == ()
    assert spellings_of(URL, "basic") == ()
