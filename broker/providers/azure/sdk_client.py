"""azure-identity, asked for an application's or a machine's token in a process of its own (`sdk_child.py`).

It loads for half a second, knows no way to be given up, and one of its ways runs programs; as a child it
blocks no other request and ends with the caller that waits. What it came to is read here, from facts and not
from its words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from broker.core.credential import Secret
from broker.core.failures import NotObtained, Refused, SignInNeeded, Unavailable
from broker.providers.azure.challenge import ENTRA, LOGIN_HOSTS, ORGANISATIONS
from broker.providers.azure.endpoints import TENANT
from broker.providers.azure.entra_errors import failure_of_app
from broker.providers.azure.identities import Bearer, Skipped, entra_bearer
from broker.providers.azure.sdk_child import MACHINE, SECRET
from broker.providers.azure.settings import AzureSettings
from broker.providers.printed_object import printed_objects, printed_text
from broker.providers.protocol import ProviderContext
from broker.providers.sdk_words import named
from broker.providers.vendor_tool import ask_tool, printed_token, sdk_argv

AUTHORITY = "AZURE_AUTHORITY_HOST"
"""azure-identity's own variables."""

QUIET = {"AZURE_IDENTITY_DISABLE_MULTITENANTAUTH": "", "AZURE_SDK_TRACING_IMPLEMENTATION": ""}
"""The tenant that we ask for is the one meant; spans would carry addresses to a collector."""

NO_IDENTITY = 400
"""What the machine's endpoint documents for an identity that was not assigned to it."""

_CHILD = "broker.providers.azure.sdk_child"


@dataclass(frozen=True, slots=True)
class SdkMethod:
    """One way to sign in: what the child is told with it, and what a person types when Entra says no.

    `name` is what `auth` calls it, `source` where the token is said to come from.
    """

    name: str
    source: str
    words: Mapping[str, str | None]
    secret: Secret | None = None
    cure: str | None = None


def directory(tenant: str, environ: Mapping[str, str]) -> str | None:
    """The tenant that an application signs in to; where the challenge names none, the environment's."""
    return tenant if tenant != ORGANISATIONS else environ.get(TENANT) or None


async def signed_in(  # noqa: PLR0917 - each word of one request
    way: SdkMethod,
    kind: str,
    tools: ProviderContext,
    settings: AzureSettings,
    tenant: str,
    claims: str | None = None,
) -> Bearer | Skipped:
    """Ask the child for a token by its way `kind`, with the claims that the feed wants.

    Raises what a service's refusal or silence means.

    Skipped where azure-identity finds that the way is not open here.
    """
    ask: dict[str, Any] = {
        "way": kind,
        "tenant": tenant,
        "ca": None if tools.http.ca is None else str(tools.http.ca),
        "login_host": next(iter(settings.login_hosts), None),
        "claims": claims,
        **way.words,
    }
    environ = {**tools.environ, **QUIET, **_authority(tools.environ)}
    if way.secret is not None:
        environ[SECRET] = way.secret.reveal()
    finished = await ask_tool(way.name, sdk_argv(_CHILD, json.dumps(ask)), environ, tools.http.ca)
    told = next(reversed(printed_objects(finished.stdout)), {})  # what the SDK prints comes before it
    if finished.code == 0 and "token" in told:
        came = printed_token(way.name, finished.stdout, told["token"], told.get("expires_on"))
        return entra_bearer(came.secret, way.source, came.expires_at)
    closed = _closed(kind, told)
    if closed is not None:
        return Skipped(way.name, closed)
    raise _failure(way, kind, told, printed_text(finished.stderr))


def _authority(environ: Mapping[str, str]) -> Mapping[str, str]:
    """azure-identity's variable for a login host, led back to Entra where it names another cloud's.

    The feed's challenge has said which cloud signs in; what else may is in `login_hosts`, which go before it.
    """
    named = environ.get(AUTHORITY)
    if not named:
        return {}
    try:
        host = urlsplit(named if "://" in named else f"https://{named}").hostname
    except ValueError:
        host = None
    return {} if host in LOGIN_HOSTS else {AUTHORITY: f"https://{ENTRA}"}


def _closed(kind: str, told: Mapping[str, object]) -> str | None:
    """Why the way is not open here; None where it is, and somebody was asked in vain."""
    if not told.get("unavailable") or told.get("code") or "unreachable" in told:
        return None
    if told.get("status") not in {None, NO_IDENTITY}:
        return None
    if kind == MACHINE and told.get("status") == NO_IDENTITY:
        return "this machine has no such identity"
    return "azure-identity finds nothing here to sign in with"


def _failure(way: SdkMethod, kind: str, told: Mapping[str, object], words: str) -> NotObtained:
    """What the child's report means; it holds nothing that a service wrote but its codes."""
    code, status = told.get("code"), told.get("status")
    if isinstance(reason := told.get("unreachable"), str):
        return Unavailable(f"{way.name}: {reason}")
    if isinstance(code, str):
        return failure_of_app(code, way.name, way.cure)
    if isinstance(status, int):
        return _answered(way, kind, status, told)
    return _broken(way, told.get("kind"), words)


def _answered(way: SdkMethod, kind: str, status: int, told: Mapping[str, object]) -> NotObtained:
    """A service answered, with neither a token nor one of Entra's numbers."""
    host, wish, error = told.get("host"), told.get("retry_after_s"), told.get("error")
    if status == 429 or status >= 500 or status == 410:  # noqa: PLR2004 - RFC 6585, RFC 9110; 410: IMDS restarts
        return Unavailable(
            f"{way.name}: {host} answers {status}",
            retry_after_s=float(wish) if isinstance(wish, int | float) else None,
        )
    if error in {"invalid_grant", "interaction_required"}:
        return SignInNeeded(f"{way.name}: Entra wants a new sign-in ({error})", hint=way.cure)
    if status // 100 == 2:  # noqa: PLR2004 - RFC 9110 section 15.3
        return Unavailable(f"{way.name}: {host} answers without a token")
    if kind == "azure-pipelines" and host not in LOGIN_HOSTS:
        return Refused(f"{way.name}: Azure Pipelines gives this job no assertion ({status})", hint=way.cure)
    return Refused(f"{way.name}: {host} refuses it a token ({status})", hint=way.cure)


def _broken(way: SdkMethod, kind: object, words: str) -> NotObtained:
    """Nothing was asked of anybody: what was configured cannot be used, or the child itself broke."""
    if kind == "ValueError":
        return Refused(
            f"{way.name}: what it signs in with cannot be used: is it whole, and its password right?"
        )
    if isinstance(kind, str):
        return Refused(f"{way.name}: what it signs in with cannot be read ({kind})")
    return Unavailable(f"{way.name}: {named('azure-identity', words, frozenset())}")
