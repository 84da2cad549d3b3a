"""What a feed's answer to a request without credentials says about who issues tokens for it.

No I/O. Both pointers come from the server that answers, so both are checked against the hosts that Microsoft
documents: one pointer elsewhere refuses the whole look-up, for a bearer that was sent there is lost.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from broker.core.failures import Refused, Unavailable
from broker.core.urls import Url
from broker.host.http import Request, Response
from broker.providers.azure.organisation import Organisation
from broker.providers.feed_check import is_of_azure_devops
from broker.providers.retry_after import retry_after_s

ENTRA = "login.microsoftonline.com"
"""The login host of the public cloud."""

LOGIN_HOSTS = frozenset({ENTRA, "login.windows.net", "login.microsoft.com"})
"""Entra in the public cloud, under the names it has had."""

ORGANISATIONS = "organizations"
"""Stands for a tenant where the organisation belongs to personal Microsoft accounts."""

NO_REDIRECT = ("X-TFS-FedAuthRedirect", "Suppress")
"""Asks Azure DevOps for a plain refusal where it would lead a browser to its sign-in page."""

_NO_TENANT = "00000000-0000-0000-0000-000000000000"
_GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TENANT = re.compile(_GUID, re.ASCII | re.IGNORECASE)
# No userinfo, no other port, no query, no escape: what these do not describe is not followed.
_LOGIN_URL = re.compile(
    rf"https://(?P<host>[a-z0-9.-]+)(?::443)?/(?P<tenant>{_GUID})/?", re.ASCII | re.IGNORECASE
)
_AUTHORITY_URL = re.compile(
    r"https://(?P<host>[a-z0-9.-]+)(?::443)?(?:/(?P<path>[a-z0-9-]*)/?)?", re.ASCII | re.IGNORECASE
)
_HOST = re.compile(r"https?://(?:[^/@]*@)?(?P<host>[a-z0-9.-]{1,253})(?=[:/?#]|$)", re.ASCII | re.IGNORECASE)
# One scheme or parameter of a WWW-Authenticate list; a comma in quotes parts nothing (RFC 9110, 5.6.4).
_ITEM = re.compile(r'(?:[^,"]|"[^"]*"?)+')


@dataclass(frozen=True, slots=True)
class Challenge:
    """Who issues tokens: the Entra tenant (a GUID in lower case, or ORGANISATIONS), and the authority that
    exchanges its bearers (an https URL without a final slash).
    """

    tenant: str
    authority: str


@dataclass(frozen=True, slots=True)
class PublicFeed:
    """The feed answers without a credential."""


def challenge_request(url: Url) -> Request:
    """The request that a feed answers with its challenge. It never carries a credential."""
    return Request("GET", str(url), (NO_REDIRECT,))


def read_challenge(
    response: Response,
    organisation: Organisation,
    *,
    login_hosts: Collection[str] = (),
    authorities: Collection[str] = (),
) -> Challenge | PublicFeed:
    """Return who issues tokens for the organisation.

    `login_hosts` and `authorities` are hosts that the configuration allows beside the public cloud's own.
    Raises Refused for a challenge that names no issuer, contradicts itself or points anywhere else, and for
    any other answer, Unavailable for one that may be better later.
    """
    endpoints = _values(response, "x-vss-authorizationendpoint")
    match response.status:
        case 200 if not is_of_azure_devops(response):
            raise Unavailable(
                f"{organisation} answers with a page that is not its own: is it a proxy's on the way?"
            )
        case 200 if not endpoints:
            return PublicFeed()
        case 200 | 401:
            tenant = _tenant(response, organisation, LOGIN_HOSTS.union(login_hosts))
            return Challenge(
                tenant, _authority(endpoints, organisation, organisation.authority_hosts.union(authorities))
            )
        case 403:
            why = "it refuses this machine before any sign-in"
        case 404:
            why = "there is no such organisation or feed"
        case status if status // 100 == 3:  # noqa: PLR2004 - RFC 9110 section 15.4
            why = "it redirects instead of asking for a sign-in"
        case status if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 6585, RFC 9110 section 15.6
            raise Unavailable(f"{organisation} answers {status}", retry_after_s=retry_after_s(response))
        case _:
            why = "it does not ask for a sign-in"
    raise Refused(f"{organisation} answers {response.status}: {why}")


def is_guid(tenant: str) -> bool:
    """True for a tenant's id, which can be compared; a domain that names one cannot."""
    return _TENANT.fullmatch(tenant) is not None


def _tenant(response: Response, organisation: Organisation, hosts: Collection[str]) -> str:
    """The one tenant that all pointers agree on."""
    items = [item for value in response.values("www-authenticate") for item in _ITEM.findall(value)]
    pointers = [pointer for item in items for pointer in _pointers(item)]
    tenants = {_login_tenant(pointer, organisation, hosts) for pointer in pointers}
    for announced in _values(response, "x-vss-resourcetenant"):
        if not is_guid(announced):
            raise Refused(f"{organisation} announces a tenant that is none")
        tenants.add(announced.lower())
    if len(tenants) > 1:
        raise Refused(f"{organisation} names several tenants, so none of them can be believed")
    for tenant in tenants - {_NO_TENANT}:
        return tenant
    if any(item.strip().lower() == "bearer" for item in items):
        return ORGANISATIONS  # artifacts-credprovider, IAuthUtil.cs of 2026-08: personal accounts name none
    raise Refused(f"{organisation} asks for a sign-in without naming a tenant")


def _pointers(item: str) -> list[str]:
    """Every authorization_uri of one scheme or parameter, wherever it stands: none may escape the check."""
    after = re.split("authorization_uri", item, flags=re.ASCII | re.IGNORECASE)[1:]
    return [text.strip().removeprefix("=").strip().strip('"') for text in after]


def _login_tenant(pointer: str, organisation: Organisation, hosts: Collection[str]) -> str:
    found = _LOGIN_URL.fullmatch(pointer)
    if found is None or found["host"].lower() not in hosts or found["tenant"] == _NO_TENANT:
        raise Refused(f"{organisation} sends its users to sign in at {_shown(pointer)}, which is not Entra")
    return found["tenant"].lower()


def _authority(pointers: list[str], organisation: Organisation, hosts: Collection[str]) -> str:
    """The one authority that all pointers name, in a spelling of our own."""
    authorities = {_checked_authority(pointer, organisation, hosts) for pointer in pointers}
    if len(authorities) > 1:
        raise Refused(f"{organisation} names several authorities, so none of them can be believed")
    for authority in authorities:
        return authority
    raise Refused(f"{organisation} does not say who issues its tokens, as Azure DevOps Services does")


def _checked_authority(pointer: str, organisation: Organisation, hosts: Collection[str]) -> str:
    found = _AUTHORITY_URL.fullmatch(pointer)
    path = (found["path"] or "").lower() if found else ""
    if found is None or path not in {"", organisation.name}:
        raise Refused(
            f"{organisation} has its tokens issued at {_shown(pointer)}, which is not its authority"
        )
    host = found["host"].lower()
    if host not in hosts:
        raise Refused(f"{organisation} has its tokens issued at {host}, which is not Azure DevOps")
    return f"https://{host}" + (f"/{path}" if path else "")


def _values(response: Response, name: str) -> list[str]:
    """All values of a header, those included that something on the way folded into one line."""
    return [part.strip() for value in response.values(name) for part in value.split(",") if part.strip()]


def _shown(pointer: str) -> str:
    """Where a refused pointer leads: its host, and nothing else of the server's words."""
    found = _HOST.match(pointer)
    return found["host"] if found else "an address that is none"
