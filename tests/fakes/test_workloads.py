"""The real azure-identity against the endpoints of machines and pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.identity import (
    AzurePipelinesCredential,
    ClientAssertionCredential,
    CredentialUnavailableError,
    ManagedIdentityCredential,
)

from tests.fakes import tokens
from tests.fakes.entra import Application
from tests.fakes.loopback import WebServer
from tests.fakes.managed_identity import ManagedIdentities
from tests.fakes.oidc import FEDERATED_AUDIENCE, GITHUB_HOST, PIPELINES_HOST, GithubOidc, PipelinesOidc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.fakes.azure_devops import AzureDevOps
    from tests.fakes.connect_proxy import ConnectProxy

pytestmark = pytest.mark.long

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-2222-3333-4444-555555555555"
SUBJECT = "repo:acme/app:ref:refs/heads/main"
SCOPE = f"{tokens.AZURE_DEVOPS}/.default"


@pytest.fixture
def machine() -> ManagedIdentities:
    return ManagedIdentities(TENANT)


@pytest.fixture
def server(machine: ManagedIdentities) -> Iterator[WebServer]:
    with WebServer(machine) as running:
        yield running


def claims(token: str) -> tokens.Claims:
    return tokens.read_claims(token) or {}


@pytest.mark.parametrize("kind", ["imds", "app service"])
def test_a_machine_signs_in_as_itself(
    machine: ManagedIdentities, server: WebServer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    told = machine.imds_environment if kind == "imds" else machine.app_service_environment
    for name, value in told(server).items():
        monkeypatch.setenv(name, value)

    with ManagedIdentityCredential() as credential:
        token = credential.get_token(SCOPE)

    assert (claims(token.token)["appid"], claims(token.token)["aud"]) == ("machine", tokens.AZURE_DEVOPS)


def test_a_user_assigned_identity_is_chosen_by_client_id(
    machine: ManagedIdentities, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.identities[CLIENT] = tokens.Account(CLIENT, TENANT, application=True)
    for name, value in machine.imds_environment(server).items():
        monkeypatch.setenv(name, value)

    with ManagedIdentityCredential(client_id=CLIENT) as credential:
        token = credential.get_token(SCOPE)

    assert claims(token.token)["appid"] == CLIENT


def test_an_identity_the_machine_does_not_have_is_unavailable(
    machine: ManagedIdentities, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in machine.imds_environment(server).items():
        monkeypatch.setenv(name, value)

    with ManagedIdentityCredential(client_id=CLIENT) as credential, pytest.raises(CredentialUnavailableError):
        credential.get_token(SCOPE)


def test_azure_pipelines_signs_in_with_its_service_connection(
    cloud: AzureDevOps, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipelines = PipelinesOidc("sc://acme/web/connection", "connection-id")
    proxy.route(PIPELINES_HOST, pipelines)
    cloud.entra.register(Application(CLIENT, TENANT, federated_subject=pipelines.subject))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    for name, value in {**proxy.environment({}), **pipelines.environment}.items():
        monkeypatch.setenv(name, value)

    with AzurePipelinesCredential(
        tenant_id=TENANT,
        client_id=CLIENT,
        service_connection_id="connection-id",
        system_access_token=pipelines.environment["SYSTEM_ACCESSTOKEN"],
    ) as credential:
        token = credential.get_token(SCOPE)

    assert claims(token.token)["appid"] == CLIENT
    assert proxy.hosts == ["dev.azure.com", "login.microsoftonline.com"]


def test_github_gives_an_assertion_that_entra_takes(
    cloud: AzureDevOps, proxy: ConnectProxy, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    github = GithubOidc(SUBJECT)
    proxy.route(GITHUB_HOST, github)
    cloud.entra.register(Application(CLIENT, TENANT, federated_subject=SUBJECT))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    for name, value in proxy.environment({}).items():
        monkeypatch.setenv(name, value)

    def assertion() -> str:
        url = f"{github.environment['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={FEDERATED_AUDIENCE}"
        job = f"Bearer {github.environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"
        return str(http.get(url, headers={"Authorization": job}).json()["value"])

    with ClientAssertionCredential(TENANT, CLIENT, assertion) as credential:
        token = credential.get_token(SCOPE)

    assert claims(token.token)["appid"] == CLIENT


@pytest.mark.parametrize("host", [GITHUB_HOST, PIPELINES_HOST])
def test_a_job_without_its_token_gets_nothing(proxy: ConnectProxy, http: httpx.Client, host: str) -> None:
    proxy.route(GITHUB_HOST, GithubOidc(SUBJECT))
    proxy.route(PIPELINES_HOST, PipelinesOidc(SUBJECT, "connection-id"))

    answer = http.post(f"https://{host}/", headers={"X-TFS-FedAuthRedirect": "Suppress"})

    assert answer.status_code == 401
