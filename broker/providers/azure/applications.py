"""The ways to sign in that only a configuration opens: `pat`, `client-secret`, `client-certificate` and
`default`.

A secret is read at each renewal, so that a
replaced one is found. Next: `workloads.py`, the ways that a job or a machine brings along.
"""

import shlex
from collections.abc import Hashable
from datetime import datetime
from typing import ClassVar

from broker.core import secret_source
from broker.core.feeds import Feed
from broker.host.file_stamp import file_stamp
from broker.providers import secret_reader
from broker.providers.azure.challenge import ENTRA
from broker.providers.azure.endpoints import (
    CERTIFICATE,
    CERTIFICATE_PASSWORD,
    CLIENT,
    CLIENT_SECRET,
    TENANT,
)
from broker.providers.azure.identities import Bearer, Skipped
from broker.providers.azure.sdk_client import SdkMethod, directory, signed_in
from broker.providers.azure.settings import AzureSettings
from broker.providers.home import expand
from broker.providers.protocol import ProviderContext
from broker.providers.recognise.azure_addresses import GLOBAL_PATS_END

NO_TENANT = f"the organisation names no tenant: configure tenant, or set {TENANT}"


def renewal_of_pat(organisation: str, place: str, now: datetime) -> str:
    """What a person does for another personal access token, `place` being where the last one is."""
    page = f"https://dev.azure.com/{organisation}/_usersSettings/tokens"
    if now < GLOBAL_PATS_END:
        return f"make another at {page} and put it into {place}"
    ended = "global PATs have ended on 1 December 2026"
    return f"{ended}: put a token of one organisation, from {page}, into {place}, or sign in with Entra"


class Pat:
    """A personal access token, good for the feed as it is."""

    name: ClassVar[str] = "pat"

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:
        self._environ = tools.environ
        self._secret = _there(settings.secret)
        self._host = feed.url.origin.host
        self._organisation = feed.realm.authority
        self._now = tools.now

    def unavailable_reason(self) -> str | None:
        """None: the configuration says where it is."""
        return None

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:  # noqa: ARG002 - it is what it is
        """Read it; raises what keeps it from being read."""
        found = await secret_reader.read(self._secret, host=self._host, username=None, environ=self._environ)
        place = secret_source.shown(self._secret)
        return Bearer(
            found.secret,
            "ready",
            place,
            found.expires_at,
            manual_renewal=renewal_of_pat(self._organisation, place, self._now()),
            replacing=secret_reader.replacing(self._secret),
        )

    def fingerprint(self) -> Hashable:
        """What changes when it was replaced."""
        return secret_reader.fingerprint(self._secret, self._environ)


class ClientSecret:
    """An application's client id and secret, from azure-identity's variables what is not configured."""

    name: ClassVar[str] = "client-secret"

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:  # noqa: ARG002 - as its kind
        self._tools = tools
        self._settings = settings
        self._client = settings.client_id or tools.environ.get(CLIENT)
        self._secret = settings.secret or secret_source.EnvSecret(CLIENT_SECRET)

    def unavailable_reason(self) -> str | None:
        """That a part of both is neither configured nor in the environment."""
        missing = [] if self._client else [f"neither client_id nor {CLIENT} is set"]
        if self._settings.secret is None and not self._tools.environ.get(CLIENT_SECRET):
            missing.append(f"neither secret nor {CLIENT_SECRET} is set")
        return " and ".join(missing) or None

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Read the secret and sign in with it."""
        asked = directory(tenant, self._tools.environ)
        if asked is None:
            return Skipped(self.name, NO_TENANT)
        # the host that a netrc entry with a client secret is for
        found = await secret_reader.read(
            self._secret, host=ENTRA, username=self._client, environ=self._tools.environ
        )
        way = SdkMethod(
            self.name,
            self.name,
            {"client_id": self._client},
            found.secret,
            cure=f"az ad app credential reset --id {self._client}",
        )
        return await signed_in(way, self.name, self._tools, self._settings, asked, claims)

    def fingerprint(self) -> Hashable:
        """What changes when the secret was replaced, or another application is named."""
        return (self._client, secret_reader.fingerprint(self._secret, self._tools.environ))


class ClientCertificate:
    """An application's client id and certificate; `secret` is the password of its file, if it has one.

    What the configuration leaves out is in azure-identity's variables.
    """

    name: ClassVar[str] = "client-certificate"

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:  # noqa: ARG002 - as its kind
        environ = tools.environ
        self._tools = tools
        self._settings = settings
        self._client = settings.client_id or environ.get(CLIENT)
        named = settings.certificate or environ.get(CERTIFICATE)
        self._file = expand(named, environ) if named else None
        in_environment = settings.certificate is None and environ.get(CERTIFICATE_PASSWORD)
        self._password = settings.secret or (
            secret_source.EnvSecret(CERTIFICATE_PASSWORD) if in_environment else None
        )

    def unavailable_reason(self) -> str | None:
        """That there is no such file (yet), or that nobody says which."""
        if not self._client:
            return f"neither client_id nor {CLIENT} is set"
        if self._file is None:
            return f"neither certificate nor {CERTIFICATE} is set"
        return None if self._file.is_file() else f"{self._file} does not exist"

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Sign in with an assertion that the certificate's key signs."""
        asked = directory(tenant, self._tools.environ)
        if asked is None:
            return Skipped(self.name, NO_TENANT)
        client, source = self._client, self._password
        password = None
        if source is not None:
            found = await secret_reader.read(source, host=ENTRA, username=client, environ=self._tools.environ)
            password = found.secret
        way = SdkMethod(
            self.name,
            self.name,
            {"client_id": client, "certificate": str(self._file)},
            password,
            cure=f"az ad app credential reset --id {client} --append --cert {shlex.quote(f'@{self._file}')}",
        )
        return await signed_in(way, self.name, self._tools, self._settings, asked, claims)

    def fingerprint(self) -> Hashable:
        """What changes when the file was replaced, or another application is named."""
        return (self._client, None if self._file is None else file_stamp(self._file))


class Default:
    """azure-identity's own chain, for users who set it up; without az, which has its own method here."""

    name: ClassVar[str] = "default"

    def __init__(self, tools: ProviderContext, settings: AzureSettings, feed: Feed) -> None:  # noqa: ARG002 - as its kind
        self._tools = tools
        self._settings = settings

    def unavailable_reason(self) -> str | None:
        """None: what there is, it finds out itself."""
        return None

    async def bearer(self, tenant: str, claims: str | None = None) -> Bearer | Skipped:
        """Let it find a way; it asks the machine's link-local address where nothing else is configured."""
        way = SdkMethod(self.name, "azure-identity", {"client_id": self._settings.client_id})
        return await signed_in(way, self.name, self._tools, self._settings, tenant, claims)

    def fingerprint(self) -> Hashable:
        """What changes with the variables that it reads."""
        environ = self._tools.environ
        names = (CLIENT, TENANT, CLIENT_SECRET, CERTIFICATE)
        return tuple(hash(environ.get(name)) for name in names)


def _there(source: secret_source.SecretSource | None) -> secret_source.SecretSource:
    """The secret's place, which the settings' own check has found to be there."""
    if source is None:
        raise TypeError("these settings were not checked")
    return source
