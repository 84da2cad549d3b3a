"""Azure DevOps: `pkgs.dev.azure.com/ORGANISATION/...` and `ORGANISATION.pkgs.visualstudio.com/...`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from broker.core.feeds import PUBLISH, READ, Realm, Recognised
from broker.providers.recognise.address_parts import GUID, https_url, plain_name, url_below
from broker.providers.recognise.kinds import AZURE

GLOBAL_PATS_END = datetime(2026, 12, 1, tzinfo=UTC)
"""From this day on Azure DevOps takes no personal access token of all organisations."""

ORGANISATION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Ring:
    """One deployment of Azure DevOps, whose organisations are its own.

    `by_path` has the organisation as its path's first segment, a host below `by_name` as its first label.
    `suffixes` are what its other services are found under.
    """

    by_path: str
    by_name: str
    suffixes: tuple[str, str]


PRODUCTION = Ring("pkgs.dev.azure.com", "pkgs.visualstudio.com", ("dev.azure.com", "visualstudio.com"))
INTERNAL = Ring("pkgs.codedev.ms", "pkgs.vsts.me", ("codedev.ms", "vsts.me"))
"""The package hosts of artifacts-credprovider, VstsCredentialProvider.cs of 2026-08."""


def is_azure_host(host: str | None) -> bool:
    """True for any host of Azure DevOps Services: a password for one is good for packages, too."""
    labels = (host or "").lower().rstrip(".").split(".")
    return labels[-3:] == ["dev", "azure", "com"] or labels[-2:] == ["visualstudio", "com"]


def azure_ring(realm: Realm) -> tuple[Ring, str] | None:
    """The deployment and the organisation that an Azure realm names, or None where it is an origin."""
    for ring in (PRODUCTION, INTERNAL):
        organisation = realm.authority.removeprefix(_ring_prefix(ring))
        if realm == _azure_realm(ring, organisation) and ORGANISATION.fullmatch(organisation):
            return ring, organisation
    return None


def azure_feed(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """What an address in Azure DevOps names: the organisation, or one of its feeds."""
    for ring in (PRODUCTION, INTERNAL):
        if host == ring.by_path and segments:
            return _feed_of(ring, segments[0], segments[1:], by_path=True)
        label, _, parent = host.partition(".")
        if parent == ring.by_name:
            return _feed_of(ring, label, segments, by_path=False)
    return None


def _feed_of(ring: Ring, organisation: str, path: tuple[str, ...], *, by_path: bool) -> Recognised | None:
    """`path` is what follows the organisation: `[PROJECT/]_packaging/FEED/pypi/...`, or anything else."""
    if not ORGANISATION.fullmatch(organisation):
        return None
    realm = _azure_realm(ring, organisation)
    named = f"{organisation.lower()}.{ring.by_name}"
    roots = (https_url(ring.by_path, organisation), https_url(named))
    if not by_path:
        if path and path[0].lower() == "defaultcollection":
            path = path[1:]
        roots = roots[::-1]
    match path:
        case ("_packaging", feed, *rest):
            below = path[:2]
        case (_, "_packaging", feed, *rest):
            below = path[:3]
        case _:
            return Recognised(realm, organisation.lower(), roots, roots)
    spellings = (*(url_below(root, *below) for root in roots), https_url(named, "DefaultCollection", *below))
    return Recognised(
        realm,
        organisation.lower() if GUID.fullmatch(feed) else plain_name(feed) or organisation.lower(),
        (url_below(spellings[0], "pypi", "simple"), *spellings),
        roots,
        PUBLISH if rest == ["pypi", "upload"] else READ,
    )


def _azure_realm(ring: Ring, organisation: str) -> Realm:
    return Realm(AZURE, _ring_prefix(ring) + organisation.lower())


def _ring_prefix(ring: Ring) -> str:
    """An internal organisation may have the name of a production one, and is not it."""
    return "" if ring is PRODUCTION else f"{ring.suffixes[0]}/"
