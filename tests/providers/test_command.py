from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from broker.core.credential import Credential, Secret
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.command import CommandProvider, CommandSettings
from broker.providers.protocol import Provider, ProviderContext
from tests.contract.provider_contract import Hanging, ProviderContract
from tests.providers.online import feed_of
from tests.providers.programs import Workshop, hanging

URL = parse_url("https://packages.example.com/simple/")


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, keys)


@pytest.fixture
def provider(tools: ProviderContext) -> Provider:
    return CommandProvider(tools)


class TestCommandKeepsTheContract(ProviderContract):
    @pytest.fixture
    def feed(self, provider: Provider, workshop: Workshop) -> Feed:
        workshop.printer("fetch", "s3cret", complaint="s3cret fetched")
        return feed_with(provider, command=["fetch", "--with", "s3cret"])

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cret"]

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.printer("broken", "s3cret", complaint="s3cret", code=3)
        workshop.printer("silent", "")
        workshop.printer("chatty", "s3cret\ns3cret")
        workshop.printer("half", '{"password": "s3cret"')
        programs = ("absent", "broken", "silent", "chatty", "half")
        return {program: feed_with(provider, command=[program, "s3cret"]) for program in programs}

    @pytest.fixture
    def hanging(self, provider: Provider, workshop: Workshop) -> Hanging:
        workshop.hanger("hang")
        return hanging(feed_with(provider, command="hang"), workshop)

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"command": ["fetch"], "username": "ci"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["fetch", "two words"], ("fetch", "two words")),
        ("fetch 'two words' $HOME;", ("fetch", "two words", "$HOME;")),
    ],
)
def test_a_command_is_a_list_or_one_line(command: object, words: tuple[str, ...]) -> None:
    assert CommandSettings.model_validate({"command": command}).command == words


@pytest.mark.parametrize(
    "command", ["", "  ", [], [""], ["fetch", 5], ["fetch", "a\0"], "fetch 'x", 5, None, {"fetch": 1}]
)
def test_what_names_no_program_is_refused(command: object) -> None:
    with pytest.raises(ValidationError, match="command"):
        CommandSettings.model_validate({"command": command})


async def test_all_that_the_program_prints_is_used(provider: Provider, workshop: Workshop) -> None:
    workshop.printer("fetch", '{"username": "own", "token": "s3cret", "expires_at": "2026-01-01T00:00:00Z"}')

    credential = await provider.obtain(feed_with(provider, command="fetch", username="ci"), READ)

    assert credential == Credential(
        "own", Secret("s3cret"), datetime(2026, 1, 1, tzinfo=UTC), source="command:fetch", account="own"
    )


@pytest.mark.parametrize(("configured", "answered"), [(None, "__token__"), ("ci", "ci")])
async def test_a_bare_token_goes_with_the_configured_username(
    configured: str | None, answered: str, provider: Provider, workshop: Workshop
) -> None:
    workshop.printer("fetch", "s3cret")

    credential = await provider.obtain(feed_with(provider, command="fetch", username=configured), READ)

    assert credential.username == answered


def test_feeds_of_one_origin_differ_by_command_and_username(provider: Provider) -> None:
    commands = (["fetch", "a"], ["fetch", "b"], ["fetch", "a b"], ["other", "a"])
    keys = {
        feed_with(provider, command=command, username=username).key()
        for command in commands
        for username in (None, "ci")
    }

    assert len(keys) == 8
