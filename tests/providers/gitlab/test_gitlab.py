from datetime import UTC, datetime

import pytest

from broker.core.credential import Credential, Secret
from broker.core.failures import NoSource, Refused, SignInNeeded
from broker.core.feeds import READ, Feed
from broker.core.urls import parse_url
from broker.providers.protocol import Provider
from tests.contract.kept_secret_contract import KeptSecretContract
from tests.fakes.connect_proxy import Conduct, ConnectProxy
from tests.fakes.faults import html_garbage
from tests.fakes.gitlab import GitLab, Token
from tests.fakes.http1 import Response
from tests.providers.gitlab.feeds import JOB, OWN, TOKEN, URL, feed_with
from tests.providers.online import feed_of
from tests.providers.programs import Workshop


class TestGitLabKeepsTheContract(KeptSecretContract):
    def made(self, provider: Provider, **keys: object) -> Feed:
        return feed_of(provider, URL, keys)

    @pytest.fixture
    def feed(self, provider: Provider) -> Feed:
        return feed_with(provider, secret="env:GITLAB_TOKEN")

    @pytest.fixture
    def failing(self, provider: Provider, workshop: Workshop) -> dict[str, Feed]:
        workshop.environ |= {**JOB, "REVOKED": "glpat-s3cret-of-nobody"}
        return {
            "revoked": feed_with(provider, secret="env:REVOKED"),
            "absent": feed_with(provider, secret="env:ABSENT"),
            "another job's": feed_with(provider),
        }

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"secret": "env:GITLAB_TOKEN", "username": "deployer"}


async def test_a_token_ends_when_gitlab_says(provider: Provider, gitlab: GitLab) -> None:
    gitlab.tokens[TOKEN] = Token(name="laptop", expires_at="2026-12-24")

    credential = await provider.obtain(feed_with(provider, secret="env:GITLAB_TOKEN"), READ)

    assert credential == Credential(
        "__token__",
        Secret(TOKEN),
        datetime(2026, 12, 24, tzinfo=UTC),
        source="env:GITLAB_TOKEN",
        account="laptop",
        manual_renewal="make another at https://gitlab.com/-/user_settings/personal_access_tokens "
        "and put it into env:GITLAB_TOKEN",
    )


async def test_a_server_of_ones_own_is_asked_below_its_own_path(
    provider: Provider, gitlab: GitLab, proxy: ConnectProxy
) -> None:
    await provider.obtain(feed_with(provider, OWN, secret="env:GITLAB_TOKEN"), READ)

    assert {request.path.partition("/api/v4/")[0] for request in gitlab.requests} == {"/relative"}
    assert proxy.hosts == ["git.example.com"]


@pytest.mark.parametrize("token", [None, Token(active=False)], ids=["revoked", "expired"])
async def test_a_dead_token_needs_a_person_and_is_dropped(
    token: Token | None, provider: Provider, gitlab: GitLab
) -> None:
    gitlab.tokens = {} if token is None else {TOKEN: token}

    with pytest.raises(SignInNeeded, match=r"another at https://gitlab\.com/-/") as raised:
        await provider.obtain(feed_with(provider, secret="env:GITLAB_TOKEN"), READ)

    assert raised.value.drops_token


@pytest.mark.parametrize(
    "answer",
    [Response(403), Response(404), Response(500), html_garbage()],
    ids=["403", "404", "500", "a page"],
)
async def test_a_gitlab_that_does_not_tell_leaves_the_end_unknown(
    answer: Response, provider: Provider, gitlab: GitLab
) -> None:
    gitlab.api_faults.give(answer)

    credential = await provider.obtain(feed_with(provider, secret="env:GITLAB_TOKEN"), READ)

    assert (credential.secret, credential.expires_at) == (Secret(TOKEN), None)


async def test_a_gitlab_out_of_reach_leaves_the_end_unknown(provider: Provider, proxy: ConnectProxy) -> None:
    proxy.conduct("gitlab.com", Conduct.REFUSE)

    credential = await provider.obtain(feed_with(provider, secret="env:GITLAB_TOKEN"), READ)

    assert credential.expires_at is None


@pytest.mark.parametrize(
    ("known", "ends"), [(True, datetime(2026, 12, 24, tzinfo=UTC)), (False, None)], ids=["known", "unknown"]
)
async def test_a_token_of_another_prefix_is_asked_about_and_never_called_dead(
    provider: Provider, gitlab: GitLab, workshop: Workshop, *, known: bool, ends: datetime | None
) -> None:
    workshop.environ["OWN_TOKEN"] = token = "corp-s3cret-of-a-person"
    gitlab.tokens = {token: Token(expires_at="2026-12-24")} if known else {}

    credential = await provider.obtain(feed_with(provider, secret="env:OWN_TOKEN"), READ)

    assert (credential.secret, credential.expires_at) == (Secret(token), ends)


async def test_a_deploy_token_is_answered_with_its_own_username_and_asked_of_nobody(
    provider: Provider, gitlab: GitLab, workshop: Workshop
) -> None:
    workshop.environ["DEPLOY_TOKEN"] = "gldt-s3cret"
    feed = feed_with(provider, secret="env:DEPLOY_TOKEN", username="deployer")

    credential = await provider.obtain(feed, READ)

    assert (credential.username, credential.secret) == ("deployer", Secret("gldt-s3cret"))
    assert not feed.answers("somebody")
    assert not gitlab.requests.entries


async def test_a_jobs_token_goes_to_the_jobs_server(provider: Provider, workshop: Workshop) -> None:
    workshop.environ |= JOB
    feed = feed_with(provider, OWN)

    credential = await provider.obtain(feed, READ)

    assert (credential.username, credential.secret) == ("gitlab-ci-token", Secret("glcbt-s3cret-of-the-job"))
    assert not feed.answers("__token__")


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.com/api/v4/groups/7/-/packages/pypi/simple/",
        "https://git.example.com/api/v4/groups/7/-/packages/pypi/simple/",
        "https://git.example.com:8443/relative/api/v4/groups/7/-/packages/pypi/simple/",
        "https://git.example.com.evil.example/relative/api/v4/groups/7/-/packages/pypi/simple/",
    ],
)
async def test_a_jobs_token_goes_nowhere_else(
    url: str, provider: Provider, workshop: Workshop, proxy: ConnectProxy
) -> None:
    workshop.environ |= JOB

    with pytest.raises(NoSource, match=r"this job is of https://git\.example\.com"):
        await provider.obtain(feed_with(provider, parse_url(url)), READ)

    assert proxy.hosts == []


@pytest.mark.parametrize("absent", JOB)
async def test_half_a_job_is_none(absent: str, provider: Provider, workshop: Workshop) -> None:
    workshop.environ |= {name: value for name, value in JOB.items() if name != absent}

    with pytest.raises(NoSource, match="no token is configured") as raised:
        await provider.obtain(feed_with(provider, OWN), READ)

    assert "secret = " in str(raised.value.hint)


async def test_a_jobs_token_that_cannot_be_sent_is_named(provider: Provider, workshop: Workshop) -> None:
    workshop.environ |= JOB | {"CI_JOB_TOKEN": "s3cret\nmore"}

    with pytest.raises(Refused, match=r"^the variable CI_JOB_TOKEN cannot be sent"):
        await provider.obtain(feed_with(provider, OWN), READ)
