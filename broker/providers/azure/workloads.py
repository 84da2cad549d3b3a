"""The ways to sign in that a job or a machine brings along: `workload-identity`, `github-oidc`,
`azure-pipelines`, `managed-identity`.

Each is open only where its variables say so: to find out, no network is asked, and where nothing is said no
address is probed. Variables are those that azure-identity 1.27 and the platforms document.
"""

from collections.abc import Hashable, Mapping
from typing import ClassVar

from broker.core.credential import Secret
from broker.core.feeds import Feed
from broker.providers.azure.applications import NO_TENANT
from broker.providers.azure.endpoints import CLIENT
from broker.providers.azure.identities import Bearer, Skipped
from broker.providers.azure.sdk_child import MACHINE
from broker.providers.azure.sdk_client import SdkMethod, directory, signed_in
from broker.providers.azure.settings import DEFAULT_AUTH, AzureSettings
from broker.providers.github_oidc import BEARER, URL, job_assertion
from broker.providers.jwt import claims_of
from broker.providers.protocol import ProviderContext
from broker.providers.secret_reader import from_env

AUDIENCE = "api://AzureADTokenExchange"
"""Whom a job's assertion is for, where its federated credential has no audience of its own."""

AUDIENCE_VARIABLE = "AZURE_FEDERATED_TOKEN_AUDIENCE"
ASSERTION_FILE = "AZURE_FEDERATED_TOKEN_FILE"
"""What artifacts-keyring-nofuss 1.3.3 and the workload identity webhook of Kubernetes set."""

JOB_URL = "SYSTEM_OIDCREQUESTURI"
JOB_TOKEN = "SYSTEM_ACCESSTOKEN"  # noqa: S105 - a variable's name
TASK = "AZURESUBSCRIPTION_"
"""What Azure Pipelines sets in a job, and in a task that was given a service connection."""

ML_CLIENT = "DEFAULT_IDENTITY_CLIENT_ID"
"""The identity of an Azure ML compute, whose endpoint answers no other (azure-sdk-for-python#30427)."""

ENDPOINTS = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
"""Any of them names where a machine's identity is (ManagedIdentityCredential of azure-identity 1.27)."""


class WorkloadIdentity:
    """A Kubernetes workload's federated token, read anew from its file at each renewal."""

    name: ClassVar[str] = "workload-identity"

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:  # noqa: ARG002 - as its kind
        self._tools = tools
        self._settings = settings
        self._client = settings.client_id or tools.environ.get(CLIENT)

    def unavailable_reason(self) -> str | None:
        """That the webhook's variables are not here."""
        return _unset(self._tools.environ, ASSERTION_FILE) or (
            None if self._client else f"neither client_id nor {CLIENT} is set"
        )

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Sign in with the file's token."""
        asked = directory(tenant, self._tools.environ)
        if asked is None:
            return Skipped(self.name, NO_TENANT)
        way = SdkMethod(self.name, self.name, {"client_id": self._client}, cure=_federation(self._client))
        return await signed_in(way, self.name, self._tools, self._settings, asked, claims)

    def fingerprint(self) -> Hashable:
        """Whose token it is; the file changes by itself every hour, and every renewal reads it."""
        return self._client


class GithubOidc:
    """A GitHub Actions job's assertion, exchanged for its application's token."""

    name: ClassVar[str] = "github-oidc"

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:  # noqa: ARG002 - as its kind
        self._tools = tools
        self._settings = settings
        self._client = settings.client_id or tools.environ.get(CLIENT)

    def unavailable_reason(self) -> str | None:
        """That this is no job that may have an assertion, or that it does not say for which application."""
        return _unset(self._tools.environ, URL, BEARER) or (
            None if self._client else f"neither client_id nor {CLIENT} is set"
        )

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Get an assertion of five minutes and sign in with it at once."""
        environ = self._tools.environ
        asked = directory(tenant, environ)
        if asked is None:
            return Skipped(self.name, NO_TENANT)
        audience = environ.get(AUDIENCE_VARIABLE) or AUDIENCE
        assertion = await job_assertion(self._tools.http, environ, audience)
        way = SdkMethod(
            self.name,
            self.name,
            {"client_id": self._client},
            assertion,
            cure=_federation(self._client, assertion),
        )
        return await signed_in(way, "assertion", self._tools, self._settings, asked, claims)

    def fingerprint(self) -> Hashable:
        """None: a job's variables stay what they are."""
        return None


class AzurePipelines:
    """An Azure Pipelines job's assertion for one of its service connections."""

    name: ClassVar[str] = "azure-pipelines"

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:  # noqa: ARG002 - as its kind
        environ = tools.environ
        self._tools = tools
        self._settings = settings
        self._client = settings.client_id or environ.get(f"{TASK}CLIENT_ID")
        self._connection = settings.service_connection_id or environ.get(f"{TASK}SERVICE_CONNECTION_ID")

    def unavailable_reason(self) -> str | None:
        """That this is no job, that it was not given its token, or that it names no service connection."""
        unset = _unset(self._tools.environ, JOB_URL, JOB_TOKEN)
        if unset is not None:
            return unset
        if not self._connection:
            return f"neither service_connection_id nor {TASK}SERVICE_CONNECTION_ID is set"
        return None if self._client else f"neither client_id nor {TASK}CLIENT_ID is set"

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Let azure-identity get the assertion and sign in with it."""
        environ = self._tools.environ
        asked = directory(tenant, environ)
        if asked is None:
            return Skipped(self.name, NO_TENANT)
        words = {"client_id": self._client, "service_connection_id": self._connection}
        way = SdkMethod(
            self.name,
            self.name,
            words,
            from_env(JOB_TOKEN, environ).secret,
            cure=_federation(self._client),
        )
        return await signed_in(way, self.name, self._tools, self._settings, asked, claims)

    def fingerprint(self) -> Hashable:
        """None: a job's variables stay what they are."""
        return None


class ManagedIdentity:
    """The machine's own identity, or the one of those assigned to it that has the client id."""

    name: ClassVar[str] = MACHINE

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:  # noqa: ARG002 - as its kind
        self._tools = tools
        self._settings = settings
        environ = tools.environ
        of_ml = environ.get(ML_CLIENT) if environ.get("MSI_ENDPOINT") else None
        self._client = settings.client_id or environ.get(CLIENT) or of_ml

    def unavailable_reason(self) -> str | None:
        """That nothing says that there is one. A user who lists it in `auth` has said so."""
        if self._settings.auth != DEFAULT_AUTH or any(self._tools.environ.get(name) for name in ENDPOINTS):
            return None
        return 'nothing says that this machine has one (auth = ["managed-identity"] asks it)'

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Ask the machine, never through a proxy; it knows its tenant itself."""
        way = SdkMethod(self.name, self.name, {"client_id": self._client})
        return await signed_in(way, MACHINE, self._tools, self._settings, tenant, claims)

    def fingerprint(self) -> Hashable:
        """Which identity it is; they are assigned from elsewhere."""
        return self._client


def _unset(environ: Mapping[str, str], *names: str) -> str | None:
    unavailable_reason = [name for name in names if not environ.get(name, "").strip()]
    return f"{' and '.join(unavailable_reason)} not set" if unavailable_reason else None


def _federation(client: str | None, assertion: Secret | None = None) -> str:
    """The command that lists whom the application trusts; whose assertion was refused is said with it."""
    subject = claims_of(assertion.reveal()).get("sub") if assertion is not None else None
    wanted = f"  # wanted: {subject}" if isinstance(subject, str) and subject.isprintable() else ""
    return f"az ad app federated-credential list --id {client}{wanted}"
