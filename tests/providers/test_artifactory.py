import asyncio
import json
import threading
from datetime import timedelta

import pytest
from pydantic import ValidationError

from broker.core.failures import NoSource, NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.artifactory import ArtifactoryProvider, ArtifactorySettings
from broker.providers.protocol import Provider, ProviderContext
from tests.contract.kept_secret_contract import KeptSecretContract
from tests.fakes import tokens
from tests.fakes.artifactory import LIFE_S, PROVIDER, USER, Artifactory
from tests.fakes.connect_proxy import Conduct, ConnectProxy
from tests.fakes.faults import html_garbage, redirect, throttled
from tests.fakes.fixtures import authority, proxy
from tests.fakes.http1 import Response, json_response
from tests.fakes.oidc import GITHUB_HOST, GithubOidc
from tests.providers.conftest import NOW
from tests.providers.online import feed_of, tools
from tests.providers.programs import Workshop
from tests.providers.tokens import jwt

__all__ = ["authority", "proxy", "tools"]

HOST = "artifactory.example.com"
URL = parse_url(f"https://{HOST}/artifactory/api/pypi/internal/simple/")
REFRESHED = {"secret": "file:~/access", "refresh": "file:~/refresh"}


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, keys)


@pytest.fixture
def jfrog(proxy: ConnectProxy) -> Artifactory:
    made = Artifactory()
    proxy.route(HOST, made)
    return made


@pytest.fixture
def github(proxy: ConnectProxy, workshop: Workshop) -> GithubOidc:
    made = GithubOidc("repo:acme/tools")
    proxy.route(GITHUB_HOST, made)
    workshop.environ.update(made.environment)
    return made


@pytest.fixture
def provider(
    tools: ProviderContext, jfrog: Artifactory, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> Provider:
    monkeypatch.setattr(ArtifactoryProvider, "_chains", {})
    workshop.file("access", "s3cret-access")
    workshop.file("refresh", "s3cret-refresh")
    workshop.environ["PASSWORD"] = "s3cret-password"
    jfrog.refresh_tokens.add("s3cret-refresh")
    return ArtifactoryProvider(tools)


class TestArtifactoryKeepsTheContract(KeptSecretContract):
    def made(self, provider: Provider, **keys: object) -> Feed:
        return feed_with(provider, **keys)

    @pytest.fixture
    def feed(self, provider: Provider) -> Feed:
        return feed_with(provider, **REFRESHED)

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.file("used", "s3cret-used")
        workshop.environ["ASSERTION"] = "s3cret-assertion"
        return {
            "a used refresh token": feed_with(provider, secret="file:~/access", refresh="file:~/used"),
            "an unknown assertion": feed_with(provider, oidc=PROVIDER, secret="env:ASSERTION"),
            "no job": feed_with(provider, oidc=PROVIDER),
            "no secret": feed_with(provider, secret="env:ABSENT"),
        }

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {**REFRESHED, "username": "alice"}


async def test_a_login_is_read_from_netrc(provider: Provider, workshop: Workshop) -> None:
    workshop.file(".netrc", f"machine {HOST} login alice password s3cret")

    credential = await provider.obtain(feed_with(provider, secret="netrc"), READ)

    assert (credential.username, credential.secret.reveal()) == ("alice", "s3cret")


async def test_each_renewal_uses_the_refresh_token_of_the_one_before(
    provider: Provider, jfrog: Artifactory
) -> None:
    feed = feed_with(provider, **REFRESHED)

    obtained = [await provider.obtain(feed, READ) for _ in range(3)]

    assert len({credential.secret for credential in obtained}) == 3
    assert {credential.username for credential in obtained} == {USER}
    assert {credential.expires_at for credential in obtained} == {NOW + timedelta(seconds=LIFE_S)}
    used = [request.form["refresh_token"] for request in jfrog.requests]
    assert used[0] == "s3cret-refresh"
    assert len(set(used)) == 3


async def test_two_who_refresh_at_once_use_one_chain(provider: Provider, jfrog: Artifactory) -> None:
    """Two slots: feeds of one server with two user names and one refresh token."""
    feeds = [feed_with(provider, **REFRESHED, username=name) for name in ("alice", "bob")]

    obtained = await asyncio.gather(*(provider.obtain(feed, READ) for feed in feeds))

    assert len({credential.secret for credential in obtained}) == 2
    used = [request.form["refresh_token"] for request in jfrog.requests]
    assert len(set(used)) == 2


async def test_a_fetch_given_up_while_the_service_answers_does_not_lose_the_next_refresh_token(
    provider: Provider, jfrog: Artifactory
) -> None:
    feed, may_answer = feed_with(provider, **REFRESHED), threading.Event()
    jfrog.access_faults.hold(may_answer)
    given_up = asyncio.create_task(provider.obtain(feed, READ))
    await asyncio.to_thread(jfrog.requests.wait_for, 1)
    given_up.cancel()
    await asyncio.wait({given_up})
    may_answer.set()

    credential = await provider.obtain(feed, READ)

    assert given_up.cancelled()
    assert credential.username == USER
    assert len({request.form["refresh_token"] for request in jfrog.requests}) == 2


async def test_an_access_token_that_lives_costs_no_refresh_token(
    provider: Provider, jfrog: Artifactory, workshop: Workshop
) -> None:
    lives = jwt(exp=(NOW + timedelta(hours=1)).timestamp(), sub="jfac@01/users/alice")
    workshop.file("access", lives)

    credential = await provider.obtain(feed_with(provider, **REFRESHED), READ)

    assert (credential.secret.reveal(), credential.username, credential.manual_renewal) == (
        lives,
        "alice",
        None,
    )
    assert not jfrog.requests.entries


async def test_an_access_token_near_its_end_is_refreshed(provider: Provider, workshop: Workshop) -> None:
    workshop.file("access", jwt(exp=(NOW + timedelta(minutes=9)).timestamp(), sub="jfac@01/users/alice"))

    credential = await provider.obtain(feed_with(provider, **REFRESHED), READ)

    assert credential.expires_at == NOW + timedelta(seconds=LIFE_S)


async def test_a_token_says_whom_it_is_for(provider: Provider, workshop: Workshop) -> None:
    workshop.environ["TOKEN"] = jwt(sub="jfac@01/users/alice")

    credential = await provider.obtain(feed_with(provider, secret="env:TOKEN"), READ)

    assert credential.username == "alice"


async def test_the_chain_outlives_a_reload(provider: Provider, tools: ProviderContext) -> None:
    await provider.obtain(feed_with(provider, **REFRESHED), READ)
    reloaded = ArtifactoryProvider(tools)

    credential = await reloaded.obtain(feed_with(reloaded, **REFRESHED), READ)

    assert credential.username == USER


async def test_a_new_refresh_token_in_its_place_begins_a_new_chain(
    provider: Provider, jfrog: Artifactory, workshop: Workshop
) -> None:
    feed = feed_with(provider, **REFRESHED)
    await provider.obtain(feed, READ)
    jfrog.refresh_tokens = {"s3cret-another"}
    workshop.file("refresh", "s3cret-another")

    credential = await provider.obtain(feed, READ)

    assert credential.username == USER


async def test_a_used_refresh_token_needs_a_person(provider: Provider, jfrog: Artifactory) -> None:
    jfrog.refresh_tokens.clear()

    with pytest.raises(SignInNeeded, match=r"from file:~/refresh was used .*, has ended or was revoked"):
        await provider.obtain(feed_with(provider, **REFRESHED), READ)


async def test_a_dead_refresh_token_is_told_by_the_answers_body(
    provider: Provider, jfrog: Artifactory
) -> None:
    """Artifactory answers 404 with this code (jfrog-cli#2490), as it does for a page that is not there."""
    dead = json_response(404, {"errors": [{"code": "NOT_FOUND", "message": "s3cret"}]})
    jfrog.access_faults.give(dead)

    with pytest.raises(SignInNeeded, match="has ended or was revoked"):
        await provider.obtain(feed_with(provider, **REFRESHED), READ)


@pytest.mark.parametrize("answer", [redirect("https://evil.example/"), html_garbage(404), Response(204)])
async def test_what_a_gateway_answers_costs_no_refresh_token(
    answer: Response, provider: Provider, jfrog: Artifactory
) -> None:
    feed = feed_with(provider, **REFRESHED)
    first = await provider.obtain(feed, READ)
    jfrog.access_faults.give(answer, times=1)

    with pytest.raises(Refused, match="does not refresh tokens where Artifactory does"):
        await provider.obtain(feed, READ)

    assert (await provider.obtain(feed, READ)).secret != first.secret


@pytest.mark.usefixtures("github")
async def test_a_jobs_assertion_is_exchanged(provider: Provider, jfrog: Artifactory) -> None:
    credential = await provider.obtain(feed_with(provider, oidc=PROVIDER, audience="jfrog"), READ)

    assert credential.secret.reveal() in jfrog.packages.passwords
    assert (credential.username, credential.account) == (USER, USER)
    assert credential.source == "oidc:github"
    assert credential.expires_at == NOW + timedelta(seconds=LIFE_S)


@pytest.mark.usefixtures("github")
async def test_what_the_integration_must_be_told_is_told(provider: Provider, jfrog: Artifactory) -> None:
    told = {"audience": "jfrog", "mapping": "ci", "project": "tools"}

    await provider.obtain(feed_with(provider, oidc=PROVIDER, **told), READ)

    asked = json.loads(jfrog.requests.entries[0].body)
    assert (asked["audience"], asked["identity_mapping_name"], asked["project_key"]) == (
        "jfrog",
        "ci",
        "tools",
    )


async def test_a_gitlab_jobs_assertion_is_the_variable_that_is_named(
    provider: Provider, workshop: Workshop
) -> None:
    workshop.environ |= {
        "GITLAB_CI": "true",
        "JFROG_ID_TOKEN": tokens.sign({"sub": "project_path:acme/tools"}),
    }

    credential = await provider.obtain(feed_with(provider, oidc=PROVIDER, secret="env:JFROG_ID_TOKEN"), READ)

    assert credential.username == USER
    with pytest.raises(NoSource, match="a variable of id_tokens"):
        await provider.obtain(feed_with(provider, oidc=PROVIDER), READ)


async def test_outside_of_a_job_there_is_nothing_to_exchange(provider: Provider) -> None:
    with pytest.raises(NoSource, match="no GitHub job"):
        await provider.obtain(feed_with(provider, oidc=PROVIDER), READ)


@pytest.mark.usefixtures("github")
async def test_a_job_without_a_mapping_is_refused(provider: Provider) -> None:
    with pytest.raises(Refused, match=r"does not exchange this job's assertion \(status 401\)"):
        await provider.obtain(feed_with(provider, oidc="another"), READ)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (throttled(9), Unavailable, "artifactory.example.com answers 429"),
        (Response(503), Unavailable, "artifactory.example.com answers 503"),
        (html_garbage(), Refused, "artifactory.example.com answers 200 without a token"),
    ],
)
async def test_what_is_no_grant_is_told_apart(
    answer: Response, kind: type[NotObtained], says: str, provider: Provider, jfrog: Artifactory
) -> None:
    jfrog.access_faults.give(answer)

    with pytest.raises(kind, match=says) as raised:
        await provider.obtain(feed_with(provider, **REFRESHED), READ)

    assert getattr(raised.value, "retry_after_s", None) == (9 if answer.status == 429 else None)
    assert "s3cret-refresh" in jfrog.refresh_tokens


async def test_an_artifactory_out_of_reach_is_unavailable(provider: Provider, proxy: ConnectProxy) -> None:
    proxy.conduct(HOST, Conduct.REFUSE)

    with pytest.raises(Unavailable, match="refused the connection"):
        await provider.obtain(feed_with(provider, **REFRESHED), READ)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"refresh": "env:R"},
        {"secret": "env:S", "audience": "x"},
        {"secret": "env:S", "mapping": "x"},
        {"oidc": "github", "refresh": "env:R"},
        {"secret": "plain"},
        {"oidc": ""},
    ],
)
def test_settings_that_cannot_sign_in_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ArtifactorySettings.model_validate(keys)


@pytest.mark.parametrize("name", ["access", "refresh"])
def test_a_replaced_secret_changes_the_marks(name: str, provider: Provider, workshop: Workshop) -> None:
    feed = feed_with(provider, **REFRESHED)
    before = provider.sign_in_fingerprint(feed)

    workshop.file(name, "s3cret-that-is-longer")

    assert provider.sign_in_fingerprint(feed) != before
