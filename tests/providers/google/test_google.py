import base64
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from broker.core.credential import Secret
from broker.core.failures import NoSource, Refused, SignInNeeded, Unavailable
from broker.core.feeds import DEFAULT_IDENTITY, READ, Feed
from broker.core.urls import parse_url
from broker.providers.google import provider as google_provider
from broker.providers.google.provider import GoogleProvider, GoogleSettings
from broker.providers.protocol import Provider, Tools
from broker.providers.recognise import realm_of
from tests.contract.provider_contract import Hanging, ProviderContract
from tests.fakes.authority import Authority, shared_authority
from tests.fakes.connect_proxy import Conduct, ConnectProxy
from tests.fakes.faults import silence
from tests.fakes.google import (
    IAM_HOST,
    OAUTH_HOST,
    ROBOT,
    STS_HOST,
    USER,
    Files,
    Google,
    refused,
    service_account_key,
)
from tests.fakes.http1 import json_response
from tests.fakes.loopback import WebServer
from tests.providers.programs import Workshop, running

URL = parse_url("https://europe-west1-python.pkg.dev/acme-project/corp/simple/")
ELSEWHERE = parse_url("https://us-python.pkg.dev/other/tools/simple/")
HELPER = {
    "configuration": {"active_configuration": "default", "properties": {"core": {"account": USER}}},
    "credential": {"access_token": "ya29.s3cret-of-gcloud", "token_expiry": "2026-11-21T10:00:00Z"},
}


def feed_with(provider: Provider, url: object = URL, **keys: object) -> Feed:
    settings = provider.settings.model_validate(keys)
    address = parse_url(str(url))
    return Feed(
        name="corp",
        realm=realm_of(address, provider.name),
        prefixes=(address,),
        identity=provider.identity(settings),
        kind=provider.kind(settings),
        username=provider.username(settings),
        settings=settings,
    )


@pytest.fixture
def authority() -> Authority:
    return shared_authority()


@pytest.fixture
def google() -> Google:
    return Google()


@pytest.fixture
def proxy(google: Google, authority: Authority, workshop: Workshop) -> Iterator[ConnectProxy]:
    """The way to Google for every child of the test."""
    with ConnectProxy(authority) as running_proxy:
        google.attach(running_proxy)
        workshop.environ.update(running_proxy.environment(workshop.environ))
        yield running_proxy


@pytest.fixture
def files(workshop: Workshop) -> Files:
    return Files(workshop.home)


@pytest.fixture
def provider(tools: Tools, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Provider:
    """A provider on a machine that is not Google's, whatever this one is."""
    monkeypatch.setattr(google_provider, "PRODUCT", tmp_path / "no-such-product")
    return GoogleProvider(tools)


class TestGoogleKeepsTheContract(ProviderContract):
    @pytest.fixture
    def feed(self, provider: Provider, workshop: Workshop) -> Feed:
        workshop.printer("gcloud", json.dumps(HELPER))
        return feed_with(provider, account=USER)

    @pytest.fixture
    def secrets(self) -> list[str]:
        return ["s3cret"]

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.printer("gcloud", "s3cret", complaint="invalid_grant s3cret", code=1)
        not_json = workshop.file("not.json", "s3cret")
        workshop.environ["NOT_A_KEY"] = "s3cret"
        return {
            "gcloud": feed_with(provider, account=USER),
            "a file that is none": feed_with(provider, credentials=str(not_json)),
            "no file": feed_with(provider, credentials="~/absent.json"),
            "no key": feed_with(provider, secret="env:NOT_A_KEY"),
            "no secret": feed_with(provider, secret="env:ABSENT"),
        }

    @pytest.fixture
    def hanging(self, provider: Provider, workshop: Workshop) -> Hanging:
        workshop.hanger("gcloud")
        seen: list[int] = []
        return Hanging(
            feed_with(provider, account=USER),
            begun=lambda: seen.append(workshop.started_pid()),
            left=lambda: running(*seen),
        )

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"credentials": "~/robot.json", "impersonate": ROBOT}


@pytest.mark.parametrize(
    ("kind", "account", "hosts"),
    [
        ("user", USER, [OAUTH_HOST]),
        ("service_account", ROBOT, [OAUTH_HOST]),
        ("external_account", ROBOT, [IAM_HOST, STS_HOST]),
        ("impersonated", ROBOT, [IAM_HOST, OAUTH_HOST]),
    ],
)
async def test_every_kind_of_credentials_file_signs_in(
    kind: str,
    account: str,
    hosts: list[str],
    provider: Provider,
    google: Google,
    proxy: ConnectProxy,
    files: Files,
    workshop: Workshop,
) -> None:
    workshop.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(getattr(files, kind)())

    credential = await provider.obtain(feed_with(provider), READ)

    assert google.tokens[credential.secret.reveal()] == account
    assert (credential.username, credential.account) == ("oauth2accesstoken", account)
    assert credential.source == "google-auth"
    assert credential.expires_at is not None
    assert 3500 < (credential.expires_at - datetime.now(UTC)).total_seconds() < 3700
    assert proxy.hosts == hosts


async def test_the_machines_own_identity_is_asked_without_the_proxy(
    provider: Provider, google: Google, proxy: ConnectProxy, workshop: Workshop
) -> None:
    with WebServer(google.metadata) as server:
        workshop.environ |= google.metadata_environment(server) | {"HTTP_PROXY": proxy.url}
        credential = await provider.obtain(feed_with(provider), READ)

    assert credential.account == ROBOT
    assert credential.source == "the metadata server"
    assert proxy.hosts == []


async def test_a_configured_service_account_is_acted_as(
    provider: Provider, google: Google, proxy: ConnectProxy, files: Files
) -> None:
    files.user()

    credential = await provider.obtain(feed_with(provider, impersonate=ROBOT), READ)

    assert google.tokens[credential.secret.reveal()] == ROBOT
    assert proxy.hosts == [IAM_HOST, OAUTH_HOST]


async def test_gcloud_is_asked_for_a_token_that_lasts(provider: Provider, workshop: Workshop) -> None:
    said = workshop.home / "said"
    workshop.script("gcloud", f"printf '%s\\n' \"$@\" > {said}; printf %s '{json.dumps(HELPER)}'")

    credential = await provider.obtain(feed_with(provider, account=USER, impersonate=ROBOT), READ)

    assert credential.secret == Secret("ya29.s3cret-of-gcloud")
    assert credential.expires_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert (credential.source, credential.account) == ("gcloud", USER)
    assert said.read_text().split() == [
        "config",
        "config-helper",
        "--format=json(credential,configuration.properties.core.account)",
        "--min-expiry=30m",
        f"--account={USER}",
        f"--impersonate-service-account={ROBOT}",
    ]


async def test_gcloud_is_asked_where_the_default_credentials_have_expired(
    provider: Provider, proxy: ConnectProxy, files: Files, workshop: Workshop
) -> None:
    files.user(refresh_token="an-old-one")
    workshop.printer("gcloud", json.dumps(HELPER))

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.source == "gcloud"
    assert proxy.hosts == [OAUTH_HOST]


async def test_without_google_auth_gcloud_is_asked_at_once(
    provider: Provider, files: Files, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_provider, "SDK", ("no_such_package",))
    files.user()
    workshop.printer("gcloud", json.dumps(HELPER))

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.source == "gcloud"


LOGIN = "gcloud auth application-default login"


@pytest.mark.parametrize(
    ("host", "answer", "kind", "detail", "hint"),
    [
        (
            OAUTH_HOST,
            refused("reauth related error (invalid_rapt)", "invalid_rapt"),
            SignInNeeded,
            "the organisation wants a new sign-in (session control)",
            LOGIN,
        ),
        (
            OAUTH_HOST,
            refused("reauth related error (rapt_required)", "rapt_required"),
            SignInNeeded,
            "the organisation wants a new sign-in (session control)",
            LOGIN,
        ),
        (
            OAUTH_HOST,
            refused("Token has been expired or revoked."),
            SignInNeeded,
            "the sign-in has expired or was revoked",
            LOGIN,
        ),
        (
            OAUTH_HOST,
            refused("The OAuth client was deleted.", error="deleted_client"),
            Refused,
            "the OAuth client it signed in with was deleted",
            None,
        ),
        (
            IAM_HOST,
            json_response(
                403,
                {
                    "error": {
                        "code": 403,
                        "message": "Permission 'iam.serviceAccounts.getAccessToken' denied",
                        "status": "PERMISSION_DENIED",
                    }
                },
            ),
            Refused,
            "it may not impersonate the service account",
            None,
        ),
    ],
    ids=["session control", "no proof yet", "revoked", "client deleted", "may not impersonate"],
)
async def test_what_google_says_becomes_what_to_do(
    host: str,
    answer: object,
    kind: type[Exception],
    detail: str,
    hint: str | None,
    provider: Provider,
    google: Google,
    proxy: ConnectProxy,
    files: Files,
) -> None:
    files.user()
    google.faults[host].give(answer)  # type: ignore[arg-type]  # a table of answers

    with pytest.raises(kind) as raised:
        await provider.obtain(feed_with(provider, impersonate=ROBOT if host == IAM_HOST else None), READ)

    assert str(raised.value) == f"google-auth cannot sign in: {detail}"
    assert getattr(raised.value, "hint", None) == hint
    assert proxy.hosts


@pytest.mark.parametrize(
    ("conduct", "says"),
    [
        (Conduct.REFUSE, "cannot get through the proxy"),
        (Conduct.STRANGE_CERTIFICATE, "does not trust the certificate it is shown"),
    ],
)
async def test_an_outage_is_no_reason_to_sign_in(
    conduct: Conduct, says: str, provider: Provider, proxy: ConnectProxy, files: Files
) -> None:
    files.user()
    proxy.conduct(OAUTH_HOST, conduct)

    with pytest.raises(Unavailable, match=says):
        await provider.obtain(feed_with(provider), READ)


async def test_a_silent_google_is_let_go(
    provider: Provider, google: Google, proxy: ConnectProxy, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.providers.tool.TOOL_LIMIT_S", 2.0)
    files.user()
    google.faults[OAUTH_HOST].give(silence())

    with pytest.raises(Unavailable, match="google-auth did not answer within 2 s and was stopped"):
        await provider.obtain(feed_with(provider), READ)

    assert proxy.hosts == [OAUTH_HOST]


@pytest.mark.parametrize(
    ("complaint", "kind", "drops"),
    [
        ("ERROR: (gcloud.config.config-helper) You do not currently have an active account selected.", SignInNeeded, True),
        ("ERROR: Your current active account [x] does not have any valid credentials", SignInNeeded, True),
        ("ERROR: Reauthentication failed. cannot prompt during non-interactive execution.", SignInNeeded, False),
        ("ERROR: There was a problem refreshing your current auth tokens: invalid_grant", SignInNeeded, False),
        ("ERROR: gcloud crashed (ConnectionError): Max retries exceeded with url: /token", Unavailable, False),
        ("ERROR: gcloud crashed (TypeError): 'NoneType'", Unavailable, False),
    ],
)  # fmt: skip
async def test_what_gcloud_says_becomes_what_to_do(
    complaint: str, kind: type[Exception], drops: bool, provider: Provider, workshop: Workshop
) -> None:
    workshop.printer("gcloud", "", complaint=complaint, code=1)

    with pytest.raises(kind) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert getattr(raised.value, "drops_token", False) is drops
    if kind is SignInNeeded:
        assert raised.value.hint == "gcloud auth login"  # type: ignore[attr-defined]


async def test_a_machine_without_any_sign_in_has_no_source(provider: Provider, proxy: ConnectProxy) -> None:
    with pytest.raises(NoSource) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert raised.value.hint == "gcloud auth application-default login"
    assert proxy.hosts == []


async def test_a_key_with_equals_signs_at_its_end_arrives_whole(
    provider: Provider, workshop: Workshop
) -> None:
    content = json.dumps(service_account_key())
    content += " " * (-(len(content) + 2) % 3)  # two short of a whole group: `==` at the end
    key = base64.b64encode(content.encode()).decode()
    workshop.environ["KEY"] = key
    feed = feed_with(provider, secret="env:KEY")

    credential = await provider.obtain(feed, READ)

    assert key.endswith("==")
    assert credential.secret.reveal() == key
    assert (credential.username, credential.account) == ("_json_key_base64", ROBOT)
    assert not feed.answers("oauth2accesstoken")


@pytest.mark.parametrize("damage", ["lost padding", "percent-encoded", "not encoded", "another kind"])
async def test_a_damaged_key_is_refused_before_anybody_sends_it(
    damage: str, provider: Provider, workshop: Workshop
) -> None:
    encoded = base64.b64encode(b'{"type": "service_account"}').decode()
    workshop.environ["KEY"] = {
        "lost padding": base64.b64encode(b'{"type": "service_account" }').decode().rstrip("="),
        "percent-encoded": encoded.replace("=", "%3D") + "%3D",
        "not encoded": '{"type": "service_account"}',
        "another kind": base64.b64encode(b'{"type": "authorized_user"}').decode(),
    }[damage]

    with pytest.raises(Refused, match="not a service account's key in base64"):
        await provider.obtain(feed_with(provider, secret="env:KEY"), READ)


def test_feeds_of_every_location_share_one_credential(provider: Provider) -> None:
    assert feed_with(provider).key() == feed_with(provider, ELSEWHERE).key()
    assert feed_with(provider).identity == DEFAULT_IDENTITY


def test_feeds_of_different_identities_share_none(provider: Provider) -> None:
    settings: list[dict[str, object]] = [
        {},
        {"account": USER},
        {"impersonate": ROBOT},
        {"credentials": "~/a.json"},
        {"credentials": "~/b.json"},
        {"credentials": "~/b.json", "impersonate": ROBOT},
        {"secret": "env:KEY"},
    ]

    assert len({feed_with(provider, **keys).key() for keys in settings}) == len(settings)


@pytest.mark.parametrize(
    "keys",
    [
        {"secret": "env:KEY", "account": USER},
        {"credentials": "~/a.json", "account": USER},
        {"credentials": "a.json"},
        {"account": "--quiet"},
        {"account": "somebody"},
        {"secret": "ya29.plain"},
    ],
)
def test_settings_that_contradict_themselves_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GoogleSettings.model_validate(keys)


def _signed_in_again(files: Files, _: Workshop) -> None:
    files.user()


def _account_changed(_: Files, workshop: Workshop) -> None:
    sentinel = workshop.home / ".config" / "gcloud" / "config_sentinel"
    sentinel.parent.mkdir(parents=True)
    sentinel.touch()


@pytest.mark.parametrize("change", [_signed_in_again, _account_changed])
def test_a_new_sign_in_changes_the_marks(
    change: object, provider: Provider, files: Files, workshop: Workshop
) -> None:
    assert callable(change)
    feed = feed_with(provider)
    before = provider.sign_in_marks(feed)

    change(files, workshop)

    assert provider.sign_in_marks(feed) != before


def test_a_replaced_key_changes_the_marks(provider: Provider, workshop: Workshop) -> None:
    key = workshop.file("key", "old")
    feed = feed_with(provider, secret=f"file:{key}")
    before = provider.sign_in_marks(feed)

    os.utime(key, (1, 1))

    assert provider.sign_in_marks(feed) != before
