from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from broker.core.credential import Credential, Secret
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.basic import BasicProvider
from broker.providers.protocol import Provider, ProviderContext
from broker.providers.static_login import LoginSettings
from tests.contract.kept_secret_contract import KeptSecretContract
from tests.providers.online import feed_of
from tests.providers.programs import Workshop
from tests.providers.tokens import jwt

URL = parse_url("https://packages.example.com/artifactory/api/pypi/internal/simple/")


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, keys)


@pytest.fixture
def provider(tools: ProviderContext, workshop: Workshop) -> Provider:
    workshop.environ["INTERNAL_TOKEN"] = "s3cret-of-the-variable"
    return BasicProvider(tools)


class TestBasicKeepsTheContract(KeptSecretContract):
    def made(self, provider: Provider, **keys: object) -> Feed:
        return feed_with(provider, **keys)

    @pytest.fixture
    def feed(self, provider: Provider) -> Feed:
        return feed_with(provider, username="ci", secret="env:INTERNAL_TOKEN")

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.file("loose", "s3cret", 0o644)
        workshop.printer("broken", "s3cret", complaint="s3cret", code=3)
        workshop.environ["BAD_TOKEN"] = "s3cret\ns3cret"
        workshop.file(".netrc", "machine a login b s3cret")
        places = (
            "env:ABSENT",
            "env:BAD_TOKEN",
            "file:~/absent",
            "file:~/loose",
            "netrc",
            "command:broken s3cret",
        )
        return {place: feed_with(provider, secret=place) for place in places}

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"username": "ci", "secret": "env:INTERNAL_TOKEN"}


async def test_username_and_secret_make_the_credential(provider: Provider) -> None:
    credential = await provider.obtain(feed_with(provider, username="ci", secret="env:INTERNAL_TOKEN"), READ)

    assert credential == Credential(
        "ci",
        Secret("s3cret-of-the-variable"),
        None,
        source="env:INTERNAL_TOKEN",
        account="ci",
        manual_renewal="put another into env:INTERNAL_TOKEN",
    )


@pytest.mark.parametrize(
    ("printed", "configured", "answered"),
    [
        ("s3cret", None, "__token__"),
        ("s3cret", "ci", "ci"),
        ('{"username": "own", "password": "s3cret"}', None, "own"),
        ('{"username": "own", "password": "s3cret"}', "ci", "ci"),
    ],
)
async def test_the_configured_username_comes_first_then_the_secrets_own(
    printed: str, configured: str | None, answered: str, provider: Provider, workshop: Workshop
) -> None:
    workshop.printer("pass", printed)

    credential = await provider.obtain(
        feed_with(provider, username=configured, secret="command:pass x"), READ
    )

    assert credential.username == answered
    assert credential.source == "command:pass"


async def test_netrc_is_asked_for_the_feeds_host(provider: Provider, workshop: Workshop) -> None:
    workshop.file(".netrc", "machine packages.example.com login ci password s3cret")

    credential = await provider.obtain(feed_with(provider, secret="netrc"), READ)

    assert (credential.username, credential.secret) == ("ci", Secret("s3cret"))


async def test_a_password_that_is_a_jwt_ends_when_it_says(provider: Provider, workshop: Workshop) -> None:
    workshop.environ["JWT"] = jwt(exp=1767225600)

    credential = await provider.obtain(feed_with(provider, secret="env:JWT"), READ)

    assert credential.expires_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("place", "manual_renewal"),
    [
        ("file:~/kept", "put another into file:~/kept"),
        ("netrc", "put another into netrc"),
        ("command:pass s3cret", None),
    ],
)
async def test_what_no_program_brings_a_person_replaces(
    place: str, manual_renewal: str | None, provider: Provider, workshop: Workshop
) -> None:
    workshop.file("kept", "s3cret")
    workshop.file(".netrc", "machine packages.example.com login ci password s3cret")
    workshop.printer("pass", "s3cret")

    credential = await provider.obtain(feed_with(provider, secret=place), READ)

    assert credential.manual_renewal == manual_renewal


def test_feeds_of_one_origin_differ_by_username_and_by_place(provider: Provider) -> None:
    keys = {
        feed_with(provider, username=username, secret=secret).key()
        for username in ("ci", "dev", None)
        for secret in ("env:A", "env:B", "command:pass a", "command:pass b")
    }

    assert len(keys) == 12


@pytest.mark.parametrize("username", ["", "a\nb", "a ", 5])
def test_a_username_that_cannot_be_sent_is_refused(username: object) -> None:
    with pytest.raises(ValidationError, match="username"):
        LoginSettings.model_validate({"username": username, "secret": "netrc"})
