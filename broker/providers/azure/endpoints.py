"""What build tasks and images leave for artifacts-credprovider, read for one feed: endpoints with a password
or with an application's proof, and the application of azure-identity's own variables.

No I/O. Names and shapes are those of artifacts-credprovider (EnvUtil.cs and EndpointCredentials.cs of
2026-08); the older names are still what most pipelines set.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from broker.core.failures import BadRequest
from broker.core.feeds import Feed
from broker.core.urls import Url, parse_url
from broker.providers.recognise.services import recognise

ENDPOINTS = (
    "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
    "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
    "ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS",
)

PREFIXES = {
    "VSS_NUGET_ACCESSTOKEN": "VSS_NUGET_URI_PREFIXES",
    "ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN": "ARTIFACTS_CREDENTIALPROVIDER_URI_PREFIXES",
}
"""Tokens, and the variables that say for which addresses: a list parted by semicolons."""

CLIENT = "AZURE_CLIENT_ID"
TENANT = "AZURE_TENANT_ID"
CLIENT_SECRET = "AZURE_CLIENT_SECRET"  # noqa: S105 - a variable's name
CERTIFICATE = "AZURE_CLIENT_CERTIFICATE_PATH"
CERTIFICATE_PASSWORD = "AZURE_CLIENT_CERTIFICATE_PASSWORD"  # noqa: S105 - a variable's name
"""azure-identity's own variables (EnvironmentCredential)."""

SYSTEM = "system"
"""The client id that stands for the machine's own identity."""


@dataclass(frozen=True, slots=True)
class Application:
    """What an application signs in with: a secret, a certificate's file, or neither: the machine's identity.

    `client_id` None is the system-assigned one; `tenant` is where it is at home, if that is said.
    """

    client_id: str | None
    secret: str | None = field(default=None, repr=False)
    certificate: str | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Useless:
    """Something was left that cannot be used; `why` completes "it ..."."""

    why: str


Left = str | Application | Useless


def left_in(text: str, feed: Feed) -> Iterator[Left]:
    """What one of the ENDPOINTS variables holds for the feed: its own address first, then its realm's."""
    try:
        credentials = json.loads(text)["endpointCredentials"]
        named = [(parse_url(one["endpoint"]), one) for one in credentials]
    except (ValueError, TypeError, KeyError, RecursionError, BadRequest):
        yield Useless("is not JSON with endpointCredentials")
        return
    own = [one for url, one in named if url.covers(feed.url)]
    shared = [one for url, one in named if not url.covers(feed.url) and _is_of(url, feed)]
    for one in (*own, *shared):
        yield _credential(one)


def is_for(prefixes: str, feed: Feed) -> bool:
    """True when the list names the feed by its address or by one above it; an empty list names all feeds."""
    listed = [prefix for prefix in prefixes.split(";") if prefix.strip()]
    return not listed or any(_covers(prefix.strip(), feed) for prefix in listed)


def application_in(environ: Mapping[str, str]) -> tuple[str, Application] | None:
    """The application of azure-identity's variables and the one that has its proof, if they are all there."""
    client, tenant = environ.get(CLIENT), environ.get(TENANT)
    if not client or not tenant:
        return None
    if secret := environ.get(CLIENT_SECRET):
        return CLIENT_SECRET, Application(client, secret, tenant=tenant.lower())
    if file := environ.get(CERTIFICATE):
        password = environ.get(CERTIFICATE_PASSWORD)
        return CERTIFICATE, Application(client, password, file, tenant.lower())
    return None


def _credential(one: Mapping[str, object]) -> Left:
    password, client = one.get("password"), one.get("clientId")
    if isinstance(password, str) and password:
        return password
    if not isinstance(client, str) or not client:
        return Useless("names neither password nor clientId for this feed")
    if one.get("clientCertificateSubjectName"):
        return Useless("names a certificate of Windows' own store")
    file = one.get("clientCertificateFilePath")
    return Application(
        None if client.lower() == SYSTEM else client, None, file if isinstance(file, str) else None
    )


def _is_of(url: Url, feed: Feed) -> bool:
    recognised = recognise(url)
    return recognised is not None and recognised.realm == feed.realm


def _covers(prefix: str, feed: Feed) -> bool:
    try:
        return parse_url(prefix).covers(feed.url)
    except BadRequest:
        return False
