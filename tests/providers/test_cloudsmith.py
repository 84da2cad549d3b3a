import json
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from broker.core.failures import NoSource, NotObtained, Refused, Unavailable
from broker.core.feeds import READ, Feed
from broker.core.urls import Url, parse_url
from broker.providers.cloudsmith import CloudsmithProvider, CloudsmithSettings
from broker.providers.protocol import Provider, ProviderContext
from tests.contract.kept_secret_contract import KeptSecretContract
from tests.fakes import tokens
from tests.fakes.cloudsmith import API_HOST, SERVICE, Cloudsmith
from tests.fakes.connect_proxy import Conduct, ConnectProxy
from tests.fakes.faults import html_garbage, throttled
from tests.fakes.fixtures import authority, proxy
from tests.fakes.http1 import Request, Response, json_response
from tests.fakes.oidc import GITHUB_HOST, JOB_TOKEN, PIPELINES_HOST, GithubOidc
from tests.providers.online import feed_of, tools
from tests.providers.programs import Workshop

__all__ = ["authority", "proxy", "tools"]

URL = parse_url("https://dl.cloudsmith.io/basic/acme/corp/python/simple/")
OWN_DOMAIN = parse_url("https://python.acme.example/basic/corp/python/simple/")
ASSERTION = tokens.sign({"sub": "project_path:acme/tools"})


def feed_with(provider: Provider, /, **keys: object) -> Feed:
    return feed_of(provider, URL, keys)


def feed_at(provider: Provider, url: Url, **keys: object) -> Feed:
    return feed_of(provider, url, keys)


@pytest.fixture
def cloudsmith(proxy: ConnectProxy) -> Cloudsmith:
    made = Cloudsmith()
    proxy.route(API_HOST, made)
    return made


@pytest.fixture
def provider(tools: ProviderContext, cloudsmith: Cloudsmith, workshop: Workshop) -> Provider:
    assert cloudsmith
    workshop.environ["KEY"] = "s3cret-key"
    return CloudsmithProvider(tools)


class TestCloudsmithKeepsTheContract(KeptSecretContract):
    def made(self, provider: Provider, **keys: object) -> Feed:
        return feed_with(provider, **keys)

    @pytest.fixture
    def feed(self, provider: Provider) -> Feed:
        return feed_with(provider, secret="env:KEY")

    @pytest.fixture
    def failing(self, provider: Provider) -> dict[str, Feed]:
        return {
            "no key": feed_with(provider),
            "no variable": feed_with(provider, secret="env:ABSENT"),
            "no job": feed_with(provider, service=SERVICE),
            "no assertion": feed_with(provider, service=SERVICE, secret="env:KEY"),
        }

    @pytest.fixture
    def settings_keys(self) -> dict[str, object]:
        return {"secret": "env:KEY", "username": "dev"}


async def test_a_key_goes_with_the_documented_username(provider: Provider) -> None:
    credential = await provider.obtain(feed_with(provider, secret="env:KEY"), READ)

    assert (credential.username, credential.secret.reveal()) == ("token", "s3cret-key")


async def test_the_clis_variable_is_read_where_nothing_is_configured(
    provider: Provider, workshop: Workshop
) -> None:
    workshop.environ["CLOUDSMITH_API_KEY"] = "s3cret"

    credential = await provider.obtain(feed_with(provider), READ)

    assert (credential.secret.reveal(), credential.source) == ("s3cret", "env:CLOUDSMITH_API_KEY")


def _github(proxy: ConnectProxy) -> dict[str, str]:
    service = GithubOidc("repo:acme/tools")
    proxy.route(GITHUB_HOST, service)
    return service.environment


def _pipelines(proxy: ConnectProxy) -> dict[str, str]:
    def answer(request: Request) -> Response:
        """As the pipeline answers without a service connection (Cloudsmith's CLI 1.30 asks so)."""
        good = request.bearer == JOB_TOKEN and request.query.get("api-version") == "7.1"
        return json_response(200, {"oidcToken": ASSERTION}) if good else Response(401)

    proxy.route(PIPELINES_HOST, answer)
    url = f"https://{PIPELINES_HOST}/acme/_apis/distributedtask/oidctoken"
    return {"SYSTEM_OIDCREQUESTURI": url, "SYSTEM_ACCESSTOKEN": JOB_TOKEN}


def _with(**variables: str) -> Callable[[ConnectProxy], dict[str, str]]:
    return lambda _: variables


JOBS: dict[str, Callable[[ConnectProxy], dict[str, str]]] = {
    "GitHub": _github,
    "Azure Pipelines": _pipelines,
    "GitLab": _with(GITLAB_CI="true", CLOUDSMITH_OIDC_TOKEN=ASSERTION),
    "CircleCI": _with(CIRCLECI="true", CIRCLE_OIDC_TOKEN_V2=ASSERTION),
    "Bitbucket": _with(BITBUCKET_STEP_OIDC_TOKEN=ASSERTION),
}


@pytest.mark.parametrize("is_configured", [True, False])
@pytest.mark.parametrize("job", JOBS)
async def test_the_assertion_of_every_kind_of_job_is_exchanged(
    *,
    job: str,
    is_configured: bool,
    provider: Provider,
    cloudsmith: Cloudsmith,
    proxy: ConnectProxy,
    workshop: Workshop,
) -> None:
    workshop.environ.update(JOBS[job](proxy))
    workshop.environ.update({} if is_configured else {"CLOUDSMITH_SERVICE_SLUG": SERVICE})

    feed = feed_with(provider, **({"service": SERVICE} if is_configured else {}))
    credential = await provider.obtain(feed, READ)

    assert credential.secret.reveal() in cloudsmith.tokens
    assert (credential.username, credential.account, credential.source) == (
        "token",
        SERVICE,
        f"oidc:{SERVICE}",
    )
    assert credential.expires_at is not None
    assert json.loads(cloudsmith.requests.entries[0].body)["service_slug"] == SERVICE


async def test_a_domain_of_ones_own_names_its_owner(provider: Provider, workshop: Workshop) -> None:
    workshop.environ["ASSERTION"] = ASSERTION
    keys = {"service": SERVICE, "secret": "env:ASSERTION"}

    with pytest.raises(Refused, match="write owner in its feed"):
        await provider.obtain(feed_at(provider, OWN_DOMAIN, **keys), READ)
    credential = await provider.obtain(feed_at(provider, OWN_DOMAIN, owner="acme", **keys), READ)

    assert credential.account == SERVICE


async def test_in_a_gitlab_job_without_the_variable_its_name_is_said(
    provider: Provider, workshop: Workshop
) -> None:
    workshop.environ["GITLAB_CI"] = "true"

    with pytest.raises(NoSource, match="call it CLOUDSMITH_OIDC_TOKEN"):
        await provider.obtain(feed_with(provider, service=SERVICE), READ)


async def test_without_anything_the_feed_is_silent(provider: Provider, cloudsmith: Cloudsmith) -> None:
    with pytest.raises(NoSource) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert (raised.value.hint or "").endswith('secret = "file:~/.config/token-broker/secrets/corp"')
    assert not cloudsmith.requests.entries


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (throttled(9), Unavailable, "Cloudsmith answers 429"),
        (Response(503), Unavailable, "Cloudsmith answers 503"),
        (html_garbage(), Unavailable, "Cloudsmith answers 200 without a token"),
        (json_response(201, {"token": None}), Unavailable, "Cloudsmith answers 201 without a token"),
        (
            json_response(401, {"detail": "s3cret"}),
            Refused,
            r"does not exchange this job's assertion \(401\)",
        ),
        (
            json_response(422, {"detail": "s3cret"}),
            Refused,
            r"\(422\): is there a provider for it in the settings",
        ),
    ],
)
async def test_what_is_no_token_is_told_apart(
    *,
    answer: Response,
    kind: type[NotObtained],
    says: str,
    provider: Provider,
    cloudsmith: Cloudsmith,
    workshop: Workshop,
) -> None:
    cloudsmith.faults.give(answer)
    workshop.environ["ASSERTION"] = ASSERTION

    with pytest.raises(kind, match=says) as raised:
        await provider.obtain(feed_with(provider, service=SERVICE, secret="env:ASSERTION"), READ)

    assert "s3cret" not in raised.value.detail


async def test_a_cloudsmith_out_of_reach_is_unavailable(
    provider: Provider, proxy: ConnectProxy, workshop: Workshop
) -> None:
    proxy.conduct(API_HOST, Conduct.REFUSE)
    workshop.environ["ASSERTION"] = ASSERTION

    with pytest.raises(Unavailable, match="refused the connection"):
        await provider.obtain(feed_with(provider, service=SERVICE, secret="env:ASSERTION"), READ)


@pytest.mark.parametrize("keys", [{"service": "../x"}, {"owner": "a/b"}, {"secret": "plain"}])
def test_settings_that_name_no_place_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CloudsmithSettings.model_validate(keys)
