"""The real azure-identity against the fake Entra: each flow a person or a pipeline may sign in by."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    AuthenticationRequiredError,
    AzureCliCredential,
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes import tokens
from tests.fakes.browser import Browser
from tests.fakes.entra import Application, Entra, aadsts
from tests.fakes.oidc import FEDERATED_AUDIENCE
from tests.fakes.tokens import Account

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.az import AzureCli
    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.connect_proxy import ConnectProxy

pytestmark = pytest.mark.long

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-2222-3333-4444-555555555555"
USER = "dev@acme.example"
BROWSER_SIGN_IN = """
import sys
from azure.identity import InteractiveBrowserCredential
with InteractiveBrowserCredential(timeout=60) as credential:
    print(credential.get_token(sys.argv[1]).token)
"""
SCOPE = f"{tokens.AZURE_DEVOPS}/.default"


@pytest.fixture
def entra(cloud: AzureDevOps, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch) -> Entra:
    for name, value in proxy.environment({}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return cloud.entra


def claims(token: str) -> tokens.Claims:
    return tokens.read_claims(token) or {}


def test_a_client_secret_signs_in(entra: Entra) -> None:
    entra.register(Application(CLIENT, TENANT, secret="s3cret"))
    with ClientSecretCredential(TENANT, CLIENT, "s3cret") as credential:
        token = credential.get_token(SCOPE)

    assert claims(token.token)["idtyp"] == "app"
    assert claims(token.token)["tid"] == TENANT
    assert [(one.grant, one.scope, one.code) for one in entra.requests] == [
        ("client_credentials", SCOPE, None)
    ]


@pytest.mark.parametrize("registered", ["s3cret", None])
def test_a_wrong_secret_is_refused(entra: Entra, registered: str | None) -> None:
    entra.register(Application(CLIENT, TENANT, secret=registered))

    with (
        ClientSecretCredential(TENANT, CLIENT, "wrong") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token(SCOPE)


def test_a_bare_resource_id_is_no_scope_for_an_application(entra: Entra) -> None:
    entra.register(Application(CLIENT, TENANT, secret="s3cret"))

    with (
        ClientSecretCredential(TENANT, CLIENT, "s3cret") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS1002012"),
    ):
        credential.get_token(tokens.AZURE_DEVOPS)


@pytest.mark.parametrize(("registered", "succeeds"), [(True, True), (False, False)])
def test_a_certificate_signs_in_when_it_is_registered(
    entra: Entra, *, registered: bool, succeeds: bool
) -> None:
    key, certificate = make_certificate()
    known = certificate if registered else make_certificate()[1]
    entra.register(Application(CLIENT, TENANT, certificate_pem=known))

    with CertificateCredential(TENANT, CLIENT, certificate_data=key + certificate) as credential:
        if succeeds:
            assert claims(credential.get_token(SCOPE).token)["appid"] == CLIENT
        else:
            with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
                credential.get_token(SCOPE)


@pytest.mark.parametrize(("subject", "code"), [("repo:acme/app", None), ("repo:evil/app", 70021)])
def test_a_federated_subject_signs_in(entra: Entra, subject: str, code: int | None) -> None:
    entra.register(Application(CLIENT, TENANT, federated_subject="repo:acme/app"))
    assertion = tokens.sign({"sub": subject, "aud": FEDERATED_AUDIENCE})

    with ClientAssertionCredential(TENANT, CLIENT, lambda: assertion) as credential:
        if code is None:
            assert claims(credential.get_token(SCOPE).token)["appid"] == CLIENT
        else:
            with pytest.raises(ClientAuthenticationError, match=f"AADSTS{code}"):
                credential.get_token(SCOPE)


def test_a_device_code_signs_in_and_renews_silently(entra: Entra) -> None:
    shown: list[str] = []

    def show(_page: str, user_code: str, _until: dt.datetime) -> None:
        shown.append(user_code)
        entra.approve(user_code, Account(USER, TENANT))

    entra.lifetime_s = 30  # within the library's own margin, so that it renews at once
    with DeviceCodeCredential(prompt_callback=show) as credential:
        first = credential.get_token(SCOPE)
        second = credential.get_token(SCOPE)

    assert shown == ["FAKE00001"]
    assert claims(first.token)["upn"] == claims(second.token)["upn"] == USER
    assert [one.grant.rpartition(":")[2] for one in entra.requests] == ["device_code", "refresh_token"]


def test_a_revoked_sign_in_cannot_be_renewed(entra: Entra) -> None:
    def show(_page: str, user_code: str, _until: dt.datetime) -> None:
        entra.approve(user_code, Account(USER, TENANT))

    entra.lifetime_s = 30
    with DeviceCodeCredential(prompt_callback=show, disable_automatic_authentication=True) as credential:
        credential.authenticate(scopes=[SCOPE])
        entra.signed_out.add(USER)

        with pytest.raises(AuthenticationRequiredError):
            credential.get_token(SCOPE)

    assert entra.requests.entries[-1].code == 50173


@pytest.mark.parametrize("end", ["decline", "expire"])
def test_a_device_code_can_come_to_nothing(entra: Entra, end: str) -> None:
    def show(_page: str, user_code: str, _until: dt.datetime) -> None:
        getattr(entra, end)(user_code)

    with (
        DeviceCodeCredential(prompt_callback=show) as credential,
        pytest.raises(ClientAuthenticationError, match=r"Authentication failed|Timed out"),
    ):
        credential.get_token(SCOPE)


def test_a_pending_device_code_is_polled_until_it_is_approved(entra: Entra) -> None:
    patient: list[threading.Thread] = []

    def show(_page: str, user_code: str, _until: dt.datetime) -> None:
        def approve() -> None:
            entra.requests.wait_for(1)
            entra.approve(user_code, Account(USER, TENANT))

        patient.append(threading.Thread(target=approve))
        patient[0].start()

    with DeviceCodeCredential(prompt_callback=show) as credential:
        credential.get_token(SCOPE)
    patient[0].join()

    codes = [one.code for one in entra.requests]
    assert codes[0] == 70016
    assert codes[-1] is None


def test_a_browser_signs_in(entra: Entra, tmp_path: Path) -> None:
    entra.browser_account = Account(USER, TENANT)
    browser = Browser(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", BROWSER_SIGN_IN, SCOPE],
        env={**os.environ, **browser.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert claims(done.stdout.strip())["upn"] == USER, done.stderr
    assert [one.grant for one in entra.requests] == ["authorization_code"]
    assert len(browser.opened) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [(53003, "invalid_grant"), (50076, "interaction_required"), (90033, "temporarily_unavailable")],
)
def test_any_refusal_can_be_programmed(entra: Entra, code: int, error: str) -> None:
    entra.register(Application(CLIENT, TENANT, secret="s3cret"))
    entra.faults.give(aadsts(code, "Said so.", error))

    with (
        ClientSecretCredential(TENANT, CLIENT, "s3cret") as credential,
        pytest.raises(ClientAuthenticationError, match=f"AADSTS{code}"),
    ):
        credential.get_token(SCOPE)


def test_azure_identity_takes_the_fake_az_for_the_real_one(
    az: AzureCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in az.environment.items():
        monkeypatch.setenv(name, value)
    az.sign_in(USER, [TENANT])

    with AzureCliCredential(tenant_id=TENANT) as credential:
        token = credential.get_token(SCOPE)

    assert claims(token.token)["upn"] == USER
    assert token.expires_on == claims(token.token)["exp"]


def make_certificate() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(pem)
