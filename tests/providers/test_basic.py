from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from broker.core.credential import Credential, Secret
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.basic import BasicProvider, BasicSettings
from broker.providers.protocol import Provider, Tools
from broker.providers.recognise import realm_of
from tests.contract.provider_contract import Hanging, ProviderContract
from tests.providers.programs import Workshop, running
from tests.providers.tokens import jwt

URL = parse_url("https://packages.example.com/artifactory/api/pypi/internal/simple/")


def feed_with(provider: Provider, **keys: object) -> Feed:
    settings = provider.settings.model_validate(keys)
    return Feed(
        name="internal",
        realm=realm_of(URL, provider.name),
        prefixes=(URL,),
        identity=provider.identity(settings),
        kind=provider.kind(settings),
        username=provider.username(settings),
        settings=settings,
    )


@pytest.fixture
def provider(tools: Tools, workshop: Workshop) -> Provider:
    workshop.environ["INTERNAL_TOKEN"] = "s3cret-of-the-variable"
    return BasicProvider(tools)


class TestBasicKeepsTheContract(ProviderContract):
    @pytest.fixture
    def feed(self, provider: Provider) -> Feed:
        return feed_with(provider, username="ci", secret="env:INTERNAL_TOKEN")

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cret"]

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
    def hanging(self, provider: Provider, workshop: Workshop) -> Hanging:
        workshop.hanger("hang")
        seen: list[int] = []
        return Hanging(
            feed_with(provider, secret="command:hang"),
            begun=lambda: seen.append(workshop.started_pid()),
            left=lambda: running(*seen),
        )

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"username": "ci", "secret": "env:INTERNAL_TOKEN"}


async def test_username_and_secret_make_the_credential(provider: Provider) -> None:
    credential = await provider.obtain(feed_with(provider, username="ci", secret="env:INTERNAL_TOKEN"), READ)

    assert credential == Credential(
        "ci", Secret("s3cret-of-the-variable"), None, source="env:INTERNAL_TOKEN", account="ci"
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


def test_feeds_of_one_origin_differ_by_username_and_by_place(provider: Provider) -> None:
    keys = {
        feed_with(provider, username=username, secret=secret).key()
        for username in ("ci", "dev", None)
        for secret in ("env:A", "env:B", "command:pass a", "command:pass b")
    }

    assert len(keys) == 12


def test_a_plain_secret_is_refused_without_being_shown() -> None:
    with pytest.raises(ValidationError, match="never written in the configuration") as raised:
        BasicSettings.model_validate({"secret": "s3cret"})

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("username", ["", "a\nb", "a ", 5])
def test_a_username_that_cannot_be_sent_is_refused(username: object) -> None:
    with pytest.raises(ValidationError, match="username"):
        BasicSettings.model_validate({"username": username, "secret": "netrc"})


def test_a_change_of_the_secret_changes_the_marks(provider: Provider, workshop: Workshop) -> None:
    feed = feed_with(provider, secret="env:INTERNAL_TOKEN")
    before = provider.sign_in_marks(feed)
    workshop.environ["INTERNAL_TOKEN"] = "another"

    assert provider.sign_in_marks(feed) != before
