"""What becomes of an application's sign-in that fails, each failure made by the fake services themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from broker.core.failures import NoSource, NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ
from broker.host.child_process import Finished
from broker.providers import vendor_tool
from broker.providers.azure import sdk_client
from broker.providers.azure.identities import Skipped
from broker.providers.azure.sdk_client import SdkMethod, signed_in
from broker.providers.azure.settings import AzureSettings
from tests.fakes import faults
from tests.fakes.connect_proxy import Conduct
from tests.fakes.entra import aadsts
from tests.fakes.evil import EvilHost
from tests.fakes.http1 import json_response
from tests.fakes.oidc import GITHUB_HOST, PIPELINES_HOST
from tests.providers.azure.feeds import TENANT, feed_with, leave
from tests.providers.azure.jobs import CLIENT, LOGIN_HOST, Job, certificate, signing_in
from tests.sampling import few

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.providers.protocol import Provider, ProviderContext
    from tests.fakes.http1 import Answer

RESET = f"az ad app credential reset --id {CLIENT}"
FEDERATIONS = f"az ad app federated-credential list --id {CLIENT}"


async def failure_of(provider: Provider, job: Job, way: str, **more: object) -> NotObtained:
    with pytest.raises(NotObtained) as raised:
        await provider.obtain(job.feed(way, **more), READ)
    return raised.value


async def test_a_wrong_secret_is_refused_with_the_command_that_makes_another(
    provider: Provider, job: Job
) -> None:
    feed = job.feed("client-secret")
    job.file("secret", "another s3cret")

    with pytest.raises(Refused) as raised:
        await provider.obtain(feed, READ)

    assert raised.value.detail == "client-secret: the client secret is wrong (AADSTS7000215)"
    assert raised.value.hint == RESET


async def test_a_job_that_the_application_does_not_trust_is_told_its_subject(
    provider: Provider, job: Job
) -> None:
    job.github.subject = "repo:stranger/app"
    failure = await failure_of(provider, job, "github-oidc")

    assert isinstance(failure, Refused)
    assert failure.detail == (
        "github-oidc: no federated credential of the application matches this job (AADSTS70021)"
    )
    assert failure.hint == f"{FEDERATIONS}  # wanted: repo:stranger/app"


@pytest.mark.parametrize(
    ("fault", "kind", "detail"),
    few(
        [
            (faults.throttled(7), Unavailable, f"client-secret: {LOGIN_HOST} answers 429"),
            (faults.broken(503), Unavailable, f"client-secret: {LOGIN_HOST} answers 503"),
            (faults.html_garbage(), Unavailable, f"client-secret: {LOGIN_HOST} answers without a token"),
            (
                faults.half_answer(),
                Unavailable,
                f"client-secret: {LOGIN_HOST} hung up without a whole answer",
            ),
            (aadsts(90033, "s3cret"), Unavailable, "Entra cannot sign in for now (AADSTS90033)"),
            (aadsts(700016, "s3cret"), Refused, "the tenant does not know the application (AADSTS700016)"),
            (
                aadsts(999999, "s3cret", "interaction_required"),
                SignInNeeded,
                "client-secret: Entra does not let it sign in (AADSTS999999)",
            ),
        ],
        3,
    ),
)
async def test_entras_answers_are_told_apart(
    fault: Answer, kind: type[NotObtained], detail: str, provider: Provider, job: Job
) -> None:
    job.cloud.entra.faults.give(fault)
    failure = await failure_of(provider, job, "client-secret")

    assert (type(failure), failure.detail) == (kind, detail)
    if isinstance(failure, Unavailable) and "429" in detail:
        assert failure.retry_after_s == 7


@pytest.mark.parametrize("status", [302, pytest.param(307, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("way", "host"),
    few(
        [
            ("client-secret", LOGIN_HOST),
            ("client-certificate", LOGIN_HOST),
            ("workload-identity", LOGIN_HOST),
            ("github-oidc", GITHUB_HOST),
            ("azure-pipelines", PIPELINES_HOST),
        ],
        2,
    ),
)
async def test_what_signs_in_follows_no_redirect(
    way: str, host: str, status: int, provider: Provider, job: Job
) -> None:
    stranger = EvilHost()
    stranger.attach(job.proxy, "*evil*")
    feed = job.feed(way)
    job.proxy.route(host, lambda _: faults.redirect("https://evil.example/token", status))

    with pytest.raises(NotObtained):
        await provider.obtain(feed, READ)

    assert stranger.received == b""


@pytest.mark.parametrize(
    ("conduct", "words"),
    [
        (Conduct.REFUSE, f"refused the connection to {LOGIN_HOST}: 502"),
        (Conduct.STRANGE_CERTIFICATE, "its certificate is not trusted"),
        (Conduct.RESET, "hung up without a whole answer"),
    ],
)
async def test_the_way_to_entra_is_named_where_it_breaks(
    conduct: Conduct, words: str, provider: Provider, job: Job
) -> None:
    job.proxy.conduct(LOGIN_HOST, conduct)
    failure = await failure_of(provider, job, "client-secret")

    assert isinstance(failure, Unavailable)
    assert words in failure.detail


async def test_one_attempt_is_one_request(provider: Provider, job: Job) -> None:
    job.cloud.entra.faults.give(faults.broken(503))
    await failure_of(provider, job, "github-oidc")

    assert [contact.host for contact in job.proxy.contacts].count(LOGIN_HOST) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "detail"),
    [
        (faults.broken(500), Unavailable, "GitHub answers 500"),
        (faults.forbidden(), Refused, "GitHub gives this job no assertion (403)"),
    ],
)
async def test_githubs_answers_are_told_apart(
    fault: Answer, kind: type[NotObtained], detail: str, provider: Provider, job: Job
) -> None:
    job.github.faults.give(fault)
    failure = await failure_of(provider, job, "github-oidc")

    assert (type(failure), failure.detail) == (kind, detail)
    assert job.proxy.hosts == [GITHUB_HOST, "pkgs.dev.azure.com"]


async def test_a_service_connection_that_is_none_is_refused(provider: Provider, job: Job) -> None:
    failure = await failure_of(provider, job, "azure-pipelines", service_connection_id=CLIENT)

    assert isinstance(failure, Refused)
    assert failure.detail == "azure-pipelines: Azure Pipelines gives this job no assertion (404)"


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (faults.throttled(), Unavailable, "127.0.0.1 answers 429"),
        (faults.broken(500), Unavailable, "127.0.0.1 answers 500"),
        (faults.broken(410), Unavailable, "127.0.0.1 answers 410"),
        (faults.not_found(), Refused, "127.0.0.1 refuses it a token (404)"),
        (faults.html_garbage(), Unavailable, "answers without a token"),
    ],
)
async def test_a_machines_endpoint_is_asked_once_and_told_apart(
    fault: Answer, kind: type[NotObtained], words: str, provider: Provider, job: Job
) -> None:
    job.identities.faults.give(fault)
    failure = await failure_of(provider, job, "managed-identity")

    assert isinstance(failure, kind)
    assert words in failure.detail
    assert len(job.identities.requests) == 1


async def test_an_identity_that_the_machine_does_not_have_is_no_way_in(provider: Provider, job: Job) -> None:
    del job.identities.identities[CLIENT]
    failure = await failure_of(provider, job, "managed-identity")

    assert isinstance(failure, NoSource)
    assert "managed-identity: this machine has no such identity" in failure.detail


async def test_app_service_gives_its_identity(provider: Provider, job: Job) -> None:
    leave(job.tools, **job.identities.app_service_environment(job.machine))

    credential = await provider.obtain(feed_with(auth=["managed-identity"]), READ)

    assert credential.account == "machine"
    assert [request.path for request in job.identities.requests] == ["/msi/token"]


async def test_a_certificate_that_is_none_is_refused_before_anybody_is_asked(
    provider: Provider, job: Job
) -> None:
    file = job.file("broken.pem", "not a certificate")
    failure = await failure_of(provider, job, "client-certificate", certificate=str(file))

    assert isinstance(failure, Refused)
    assert "cannot be used" in failure.detail
    assert LOGIN_HOST not in job.proxy.hosts


async def test_a_service_that_never_answers_is_given_up_in_time(
    provider: Provider, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor_tool, "TOOL_LIMIT_S", 3.0)
    job.identities.faults.give(faults.silence())
    failure = await failure_of(provider, job, "managed-identity")

    assert isinstance(failure, Unavailable)
    assert failure.detail == "managed-identity did not answer within 3 s and was stopped"
    assert signing_in() == []


def child(told: object, code: int = 0) -> Callable[..., Any]:
    """Stands for a child that reports this."""

    async def answer(*_: object) -> Finished:
        return Finished(code, json.dumps(told).encode(), b"s3cret")

    return answer


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        ({"status": 400, "host": LOGIN_HOST, "error": "invalid_grant"}, SignInNeeded, "invalid_grant"),
        (
            {"status": 400, "host": LOGIN_HOST, "error": "interaction_required"},
            SignInNeeded,
            "interaction_required",
        ),
        ({"status": 403, "host": LOGIN_HOST}, Refused, "refuses it a token"),
        ({"kind": "FileNotFoundError"}, Refused, "cannot be read"),
        ({}, Unavailable, "failed without a word that can be told"),
        ("garbage", Unavailable, "failed without a word that can be told"),
        ({"token": "two\nlines"}, Unavailable, "something else than a token"),
        ({"token": ""}, Unavailable, "something else than a token"),
        ({"code": "7000222", "status": 401}, Refused, "client secret has expired"),
        ({"code": "53003", "status": 400}, Refused, "conditional access"),
        ({"code": "700027", "status": 401}, Refused, "certificate is not the application's"),
    ],
)
async def test_each_report_of_the_child_has_one_meaning(
    told: object, kind: type[NotObtained], words: str, tools: ProviderContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk_client, "ask_tool", child(told))

    with pytest.raises(kind, match=words) as raised:
        await signed_in(SdkMethod("client-secret", "x", {}), "client-secret", tools, AzureSettings(), TENANT)

    assert "s3cret" not in f"{raised.value}{raised.value.hint}"


async def test_a_way_that_azure_identity_finds_closed_is_skipped(
    tools: ProviderContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk_client, "ask_tool", child({"unavailable": True}))

    outcome = await signed_in(SdkMethod("default", "x", {}), "default", tools, AzureSettings(), TENANT)

    assert outcome == Skipped("default", "azure-identity finds nothing here to sign in with")


@pytest.mark.parametrize(
    ("way", "variable"),
    [("github-oidc", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"), ("azure-pipelines", "SYSTEM_ACCESSTOKEN")],
)
@pytest.mark.parametrize("value", ["s3cret€", "s3cret\nmore"])
async def test_a_jobs_variable_that_cannot_be_sent_is_named(
    value: str, way: str, variable: str, provider: Provider, job: Job
) -> None:
    feed = job.feed(way)
    leave(job.tools, **{variable: value})

    with pytest.raises(Refused, match=f"^the variable {variable} cannot be sent"):
        await provider.obtain(feed, READ)


@pytest.mark.parametrize("answer", [{"value": None}, {"value": 5}, {"value": {}}, [], "s3cret"])
async def test_an_assertion_that_is_no_text_is_refused(answer: object, provider: Provider, job: Job) -> None:
    job.proxy.route(GITHUB_HOST, lambda _: json_response(200, answer))

    failure = await failure_of(provider, job, "github-oidc")

    assert failure.detail == "GitHub gives this job no assertion (200)"


@pytest.mark.parametrize("host", ["https://login.microsoftonline.us", "login.chinacloudapi.cn", "[evil"])
async def test_a_variable_for_another_cloud_leads_nobody_away_from_the_feeds_own(
    host: str, provider: Provider, job: Job
) -> None:
    feed = job.feed("client-secret")
    leave(job.tools, AZURE_AUTHORITY_HOST=host)

    credential = await provider.obtain(feed, READ)

    assert credential.account == CLIENT


async def test_the_line_that_makes_another_certificate_takes_a_path_with_a_blank(
    provider: Provider, job: Job
) -> None:
    feed = job.feed("client-certificate", certificate=str(job.file("my app.pem", certificate()[1])))
    job.cloud.entra.faults.give(aadsts(700027, "s3cret"))

    with pytest.raises(Refused) as raised:
        await provider.obtain(feed, READ)

    assert (raised.value.hint or "").endswith(f" --append --cert '@{job.folder}/my app.pem'")
