import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.artifactory import ArtifactoryProvider, ArtifactorySettings
from broker.providers.protocol import Provider, ProviderContext
from broker.providers.vendor_tool import WITHOUT_TOKENS
from tests.contract.provider_contract import Hanging, ProviderContract
from tests.providers.conftest import NOW
from tests.providers.online import feed_of
from tests.providers.programs import Workshop, hanging
from tests.providers.tokens import jwt

URL = parse_url("https://acme.jfrog.io/artifactory/api/pypi/internal/simple/")
TOKEN = jwt(sub="jfac@01/users/alice", scp="applied-permissions/user", marks="s3cret")
PRINTED = {
    "scope": "applied-permissions/user",
    "access_token": TOKEN,
    "expires_in": 3600,
    "token_type": "Bearer",
}
"""As `jf atc` prints it (JFrog CLI, "Creating access tokens")."""


@pytest.fixture
def provider(tools: ProviderContext, workshop: Workshop) -> Provider:
    workshop.environ["PATH"] = f"{workshop.folder}:/usr/bin:/bin"
    return ArtifactoryProvider(tools)


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, {"jf": "acme", **keys})


class TestJfKeepsTheContract(ProviderContract):
    @pytest.fixture
    def feed(self, provider: Provider, workshop: Workshop) -> Feed:
        workshop.printer("jf", json.dumps(PRINTED, indent=2))
        return feed_with(provider)

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cret", TOKEN]

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.script("jf", 'echo "[Error] s3cret" >&2; exit 1')
        return {"jf fails": feed_with(provider)}

    @pytest.fixture
    def hanging(self, provider: Provider, workshop: Workshop) -> Hanging:
        workshop.hanger("jf")
        return hanging(feed_with(provider), workshop)

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"jf": "acme"}


async def test_jf_is_asked_for_a_token_of_an_hour(provider: Provider, workshop: Workshop) -> None:
    told = workshop.home / "told"
    workshop.script("jf", f"echo \"$@\" > {told}; echo '[Info] one moment'; echo '{json.dumps(PRINTED)}'")

    credential = await provider.obtain(feed_with(provider), READ)

    assert (credential.username, credential.account, credential.source) == ("alice", "alice", "jf:acme")
    assert credential.expires_at == NOW + timedelta(hours=1)
    assert told.read_text() == "atc --server-id=acme --expiry=3600\n"


@pytest.mark.parametrize(
    ("words", "kind", "says", "hint"),
    [
        ("[Error] no JFrog servers configured.", SignInNeeded, "jf has no server acme", "jf config add acme"),
        (
            "[Error] Server ID 'acme' does not exist.",
            SignInNeeded,
            "jf has no server acme",
            "jf config add acme",
        ),
        (
            "[Error] server response: 401 Unauthorized s3cret",
            SignInNeeded,
            "has ended or was revoked",
            "jf config edit acme",
        ),
        (
            "[Error] Token failed verification: expired",
            SignInNeeded,
            "has ended or was revoked",
            "jf config edit acme",
        ),
        ("[Error] server response: 403 Forbidden", Refused, "may not create a token at acme", None),
        ("dial tcp: lookup acme.jfrog.io: no such host", Unavailable, "cannot reach", "brokerctl doctor"),
        (
            "panic: s3cret",
            Unavailable,
            "exit code 1",
            f"jf atc --server-id=acme --expiry=3600 {WITHOUT_TOKENS}",
        ),
    ],
)
async def test_the_words_of_jf_have_a_meaning(
    *,
    words: str,
    kind: type[NotObtained],
    says: str,
    hint: str | None,
    provider: Provider,
    workshop: Workshop,
) -> None:
    workshop.printer("jf", "", complaint=words, code=1)

    with pytest.raises(kind, match=says) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert raised.value.hint == hint
    assert "s3cret" not in raised.value.detail


async def test_what_is_no_token_is_told_by_its_shape(provider: Provider, workshop: Workshop) -> None:
    workshop.printer("jf", '{"errors": ["s3cret"]}')

    with pytest.raises(Unavailable, match=r'jf printed something else than a token: {"errors": \[...\]}'):
        await provider.obtain(feed_with(provider), READ)


def test_a_new_sign_in_changes_the_marks(provider: Provider, workshop: Workshop) -> None:
    before = provider.sign_in_fingerprint(feed_with(provider))
    (workshop.home / ".jfrog").mkdir()
    workshop.file(".jfrog/jfrog-cli.conf.v6", "{}")

    assert provider.sign_in_fingerprint(feed_with(provider)) != before


@pytest.mark.parametrize(
    "keys", [{"jf": "--help"}, {"jf": ""}, {"jf": "a", "secret": "env:A"}, {"jf": "a", "oidc": "x"}]
)
def test_settings_that_jf_would_not_take_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ArtifactorySettings.model_validate(keys)
