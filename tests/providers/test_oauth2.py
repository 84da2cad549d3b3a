from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.oauth2 import OAuth2Provider, OAuth2Settings
from broker.providers.protocol import Provider, ProviderContext
from tests.contract.kept_secret_contract import KeptSecretContract
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.faults import html_garbage, throttled
from tests.fakes.fixtures import authority, proxy
from tests.fakes.http1 import Response
from tests.fakes.token_endpoint import TokenEndpoint, denied
from tests.providers.conftest import NOW
from tests.providers.online import feed_of, tools
from tests.providers.programs import Workshop

__all__ = ["authority", "proxy", "tools"]

URL = parse_url("https://registry.example.com/simple/")
CLIENT = "id with : and ü"
SECRET = "s3cret+with/=%:&"
KEYS: dict[str, object] = {
    "token_endpoint": "https://login.example.com/oauth/token",
    "client_id": CLIENT,
    "secret": "file:~/client",
}


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, {**KEYS, **keys})


@pytest.fixture
def server(proxy: ConnectProxy) -> TokenEndpoint:
    made = TokenEndpoint()
    made.clients[CLIENT] = SECRET
    proxy.route("login.example.com", made)
    return made


@pytest.fixture
def provider(tools: ProviderContext, server: TokenEndpoint, workshop: Workshop) -> Provider:
    assert server.clients
    workshop.file("client", SECRET)
    return OAuth2Provider(tools)


class TestOAuth2KeepsTheContract(KeptSecretContract):
    def made(self, provider: Provider, **keys: object) -> Feed:
        return feed_with(provider, **keys)

    @pytest.fixture
    def feed(self, provider: Provider) -> Feed:
        return feed_with(provider)

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.environ["WRONG"] = "s3cret-of-another"
        return {
            "a wrong secret": feed_with(provider, secret="env:WRONG"),
            "no secret": feed_with(provider, secret="env:ABSENT"),
            "no server": feed_with(provider, token_endpoint="https://absent.example.com/"),
        }

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return KEYS


@pytest.mark.parametrize("client_auth", ["basic", "post"])
async def test_any_client_id_and_secret_arrive_whole(
    client_auth: str, provider: Provider, server: TokenEndpoint
) -> None:
    feed = feed_with(provider, client_auth=client_auth, scope="read:packages", audience="registry")

    credential = await provider.obtain(feed, READ)

    assert server.tokens[credential.secret.reveal()] == "read:packages"
    asked = server.requests.entries[0]
    assert asked.form["audience"] == "registry"
    assert (asked.basic is None) == (client_auth == "post")


@pytest.mark.parametrize(
    ("life", "ends", "is_unknown"),
    [
        (3600, NOW + timedelta(hours=1), False),
        ("3600", NOW + timedelta(hours=1), False),
        ("3600.0", NOW + timedelta(hours=1), False),
        (None, None, False),
        (0, None, False),
        ("0", None, False),
        ("soon", None, True),
        (10**15, None, True),
        (float("nan"), None, True),
        (-60, NOW - timedelta(seconds=1), False),
        ("-60", NOW - timedelta(seconds=1), False),
        (float("-inf"), NOW - timedelta(seconds=1), False),
    ],
)
async def test_the_token_ends_when_the_server_says(
    life: object, ends: datetime | None, is_unknown: bool, provider: Provider, server: TokenEndpoint
) -> None:
    server.life_s = life

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.expires_at == ends
    assert credential.is_end_unknown is is_unknown


@pytest.mark.parametrize(("configured", "answered"), [({}, "__token__"), ({"username": "ci"}, "ci")])
async def test_the_username_is_the_registrys(
    configured: dict[str, str], answered: str, provider: Provider
) -> None:
    feed = feed_with(provider, **configured)

    credential = await provider.obtain(feed, READ)

    assert credential.username == answered
    assert feed.answers("somebody") is not bool(configured)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (denied("invalid_client", 401), Refused, "does not take the client's secret from file:~/client"),
        (denied("invalid_scope"), Refused, r"no token \(invalid_scope\)"),
        (denied("bad s3cret"), Refused, r"no token \(status 400\)"),
        (html_garbage(), Refused, "answers 200 without a token"),
        (html_garbage(403), Refused, r"no token \(status 403\)"),
        (denied("temporarily_unavailable"), Unavailable, "unavailable for now"),
        (throttled(), Unavailable, "answers 429"),
    ],
)
async def test_what_is_no_grant_is_told_apart(
    answer: Response, kind: type[NotObtained], says: str, provider: Provider, server: TokenEndpoint
) -> None:
    server.faults.give(answer)

    with pytest.raises(kind, match=says):
        await provider.obtain(feed_with(provider), READ)


async def test_a_secret_that_is_not_there_yet_needs_a_person(provider: Provider, workshop: Workshop) -> None:
    (workshop.home / "client").unlink()

    with pytest.raises(SignInNeeded):
        await provider.obtain(feed_with(provider), READ)


async def test_a_replaced_secret_changes_the_marks_and_is_used(
    provider: Provider, server: TokenEndpoint, workshop: Workshop
) -> None:
    feed = feed_with(provider)
    before = provider.sign_in_fingerprint(feed)
    server.clients[CLIENT] = "s3cret-rotated"
    workshop.file("client", "s3cret-rotated")

    await provider.obtain(feed, READ)

    assert provider.sign_in_fingerprint(feed) != before


@pytest.mark.parametrize(
    "endpoint",
    [
        "login.example.com",
        "login.example.com/token",
        "http://login.example.com/token",
        "https://user:pass@login.example.com/token",
        "ftp://login.example.com/token",
    ],
)
def test_a_token_endpoint_is_a_whole_https_url(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        OAuth2Settings.model_validate({**KEYS, "token_endpoint": endpoint})


def test_feeds_that_ask_for_different_tokens_share_none(provider: Provider) -> None:
    keys: list[dict[str, str]] = [
        {},
        {"scope": "a"},
        {"audience": "a"},
        {"client_id": "another"},
        {"secret": "env:X"},
        {"token_endpoint": "https://other.example.com/"},
    ]

    assert len({feed_with(provider, **one).key() for one in keys}) == len(keys)
