import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.core.credential import Secret
from broker.core.failures import NoSource, NotObtained, Refused, SignInNeeded, Unavailable
from broker.core.feeds import READ
from broker.host.http import Http
from broker.host.lookup_trace import TraceStep, tracing
from broker.providers.google import provider as google_provider
from broker.providers.google.provider import GoogleProvider
from broker.providers.protocol import Provider, ProviderContext
from tests.fakes.authority import Authority
from tests.fakes.connect_proxy import Conduct, ConnectProxy
from tests.fakes.evil import EvilHost
from tests.fakes.faults import redirect, silence
from tests.fakes.google import (
    IAM_HOST,
    OAUTH_HOST,
    ROBOT,
    STS_HOST,
    USER,
    Files,
    Google,
    refused,
)
from tests.fakes.http1 import Response, json_response
from tests.fakes.loopback import WebServer
from tests.providers.google.feeds import HELPER, Machine, feed_with
from tests.providers.programs import Workshop


@pytest.mark.parametrize(
    ("kind", "account", "hosts"),
    [
        ("user", USER, [OAUTH_HOST]),
        ("service_account", ROBOT, [OAUTH_HOST]),
        ("external_account", ROBOT, [IAM_HOST, STS_HOST]),
        ("impersonated", ROBOT, [IAM_HOST, OAUTH_HOST]),
    ],
)
@pytest.mark.usefixtures("own_children")
async def test_every_kind_of_credentials_file_signs_in(
    kind: str, account: str, hosts: list[str], provider: Provider, machine: Machine
) -> None:
    machine.workshop.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(getattr(machine.files, kind)())

    credential = await provider.obtain(feed_with(provider), READ)

    assert machine.google.tokens[credential.secret.reveal()] == account
    assert (credential.username, credential.account) == ("oauth2accesstoken", account)
    assert credential.source == "google-auth"
    assert credential.expires_at is not None
    assert 3500 < (credential.expires_at - datetime.now(UTC)).total_seconds() < 3700
    assert machine.proxy.hosts == hosts


@pytest.mark.usefixtures("own_children")
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


async def test_an_authority_of_the_system_is_trusted(provider: Provider, machine: Machine) -> None:
    machine.files.user()
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        del machine.workshop.environ[name]  # what is left is where OpenSSL finds the system's

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.account == USER


async def test_the_configured_authority_reaches_the_sdk(
    provider: Provider, tools: ProviderContext, machine: Machine, authority: Authority
) -> None:
    machine.files.user()
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        del machine.workshop.environ[name]
    configured = GoogleProvider(replace(tools, http=Http(authority.bundle)))

    credential = await configured.obtain(feed_with(configured), READ)
    with pytest.raises(Unavailable, match="does not trust"):
        await provider.obtain(feed_with(provider), READ)

    assert credential.account == USER


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


async def test_each_way_is_told_aloud_to_whoever_listens(
    provider: Provider, machine: Machine, files: Files
) -> None:
    files.user(refresh_token="an-old-one")
    machine.workshop.printer("gcloud", json.dumps(HELPER))
    heard: list[TraceStep] = []

    with tracing(heard.append):
        await provider.obtain(feed_with(provider), READ)

    assert heard == [
        TraceStep(
            "signed in", "google-auth cannot sign in: the sign-in has expired or was revoked", good=False
        ),
        TraceStep("signed in", f"gcloud: {USER}", good=True),
    ]


async def test_without_google_auth_gcloud_is_asked_at_once(
    provider: Provider, files: Files, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_provider, "SDK", ("no_such_package",))
    files.user()
    workshop.printer("gcloud", json.dumps(HELPER))

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.source == "gcloud"


LOGIN = "gcloud auth application-default login"


NOT_ALLOWED = {"error": {"code": 403, "message": "denied", "status": "PERMISSION_DENIED"}}
SESSION_CONTROL = "the organisation wants a new sign-in (session control)"
ANSWERS = {
    "session control": (refused("reauth related error", "invalid_rapt"), SignInNeeded, SESSION_CONTROL),
    "no proof yet": (refused("reauth related error", "rapt_required"), SignInNeeded, SESSION_CONTROL),
    "revoked": (
        refused("Token has been expired or revoked."),
        SignInNeeded,
        "the sign-in has expired or was revoked",
    ),
    "client deleted": (
        refused("The OAuth client was deleted.", error="deleted_client"),
        Refused,
        "the OAuth client it signed in with was deleted",
    ),
}


@pytest.mark.parametrize(("answer", "kind", "detail"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_what_google_says_becomes_what_to_do(
    answer: Response, kind: type[NotObtained], detail: str, provider: Provider, machine: Machine
) -> None:
    machine.files.user()
    machine.google.faults[OAUTH_HOST].give(answer)

    with pytest.raises(kind) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert raised.value.detail == f"google-auth cannot sign in: {detail}"
    assert raised.value.hint == (LOGIN if kind is SignInNeeded else None)


async def test_a_file_of_somebody_elses_making_is_not_renewed_by_a_login(
    provider: Provider, machine: Machine
) -> None:
    kept = machine.files.user("an-old-one", path=machine.workshop.home / "kept.json")

    with pytest.raises(SignInNeeded) as raised:
        await provider.obtain(feed_with(provider, credentials=str(kept)), READ)

    assert raised.value.hint is None


async def test_who_may_not_impersonate_is_refused(provider: Provider, machine: Machine) -> None:
    machine.files.user()
    machine.google.faults[IAM_HOST].give(json_response(403, NOT_ALLOWED))

    with pytest.raises(Refused, match="may not impersonate the service account"):
        await provider.obtain(feed_with(provider, impersonate=ROBOT), READ)


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


@pytest.mark.usefixtures("own_children")
async def test_a_sign_in_that_google_does_not_answer_can_be_given_up(
    provider: Provider, machine: Machine
) -> None:
    machine.files.user()
    machine.google.faults[OAUTH_HOST].give(silence())
    attempt = asyncio.create_task(provider.obtain(feed_with(provider), READ))
    await asyncio.to_thread(machine.google.requests.wait_for, 1)

    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt


async def test_a_gcloud_that_never_ends_is_stopped(
    provider: Provider, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.providers.vendor_tool.TOOL_LIMIT_S", 0.1)
    workshop.script("gcloud", "while :; do :; done")

    with pytest.raises(Unavailable, match=r"gcloud did not answer within 0\.1 s and was stopped"):
        await provider.obtain(feed_with(provider), READ)


@pytest.mark.parametrize(
    ("complaint", "kind", "drops"),
    [
        ("You do not currently have an active account selected.", SignInNeeded, True),
        ("Your current active account [x] does not have any valid credentials", SignInNeeded, True),
        ("Reauthentication failed. cannot prompt during non-interactive execution.", SignInNeeded, False),
        ("There was a problem refreshing your current auth tokens: invalid_grant", SignInNeeded, False),
        ("gcloud crashed (ConnectionError): Max retries exceeded with url: /token", Unavailable, False),
        ("gcloud crashed (TypeError): 'NoneType'", Unavailable, False),
    ],
)
async def test_what_gcloud_says_becomes_what_to_do(
    complaint: str, kind: type[NotObtained], drops: bool, provider: Provider, workshop: Workshop
) -> None:
    workshop.printer("gcloud", "", complaint=f"ERROR: {complaint}", code=1)

    with pytest.raises(kind) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert getattr(raised.value, "drops_token", False) is drops
    if kind is SignInNeeded:
        assert raised.value.hint == "gcloud auth login"


async def test_a_machine_without_any_sign_in_has_no_source(provider: Provider, proxy: ConnectProxy) -> None:
    with pytest.raises(NoSource) as raised:
        await provider.obtain(feed_with(provider), READ)

    assert raised.value.hint == "gcloud auth application-default login"
    assert proxy.hosts == []


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("kind", ["user", "external_account"])
async def test_what_signs_in_follows_no_redirect(
    kind: str, status: int, provider: Provider, machine: Machine
) -> None:
    stranger = EvilHost()
    stranger.attach(machine.proxy, "*evil*")
    for host in (OAUTH_HOST, STS_HOST):
        machine.proxy.route(host, lambda _: redirect("https://evil.example/token", status))
    machine.workshop.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(getattr(machine.files, kind)())

    with pytest.raises(Unavailable, match=r"^google-auth was led elsewhere"):
        await provider.obtain(feed_with(provider), READ)

    assert stranger.received == b""


async def test_a_netrc_entry_is_not_sent_in_place_of_the_bearer(provider: Provider, machine: Machine) -> None:
    asked = EvilHost()
    asked.attach(machine.proxy, OAUTH_HOST)
    machine.files.user()
    machine.workshop.file(".netrc", "default login dev password s3cret-of-another-host\n")

    await provider.obtain(feed_with(provider), READ)

    assert asked.authorizations == []


@pytest.mark.usefixtures("own_children")
async def test_no_variable_of_pythons_reaches_the_sdk(
    provider: Provider, machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "requests.py").write_text("raise SystemExit(7)")
    machine.workshop.environ |= {"PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "utf-16"}
    machine.files.user()

    credential = await provider.obtain(feed_with(provider), READ)

    assert credential.account == USER
