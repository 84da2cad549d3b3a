"""Which provider and realm a URL or host names, read from the providers' documented URL shapes.

One pure table for the daemon and brokerctl alike. It never compares strings by prefix or suffix: hosts by
whole labels, paths by whole segments, https on its default port only. Next: `core/feeds.py`, which asks it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import unquote

from broker.core.feeds import PUBLISH, READ, Realm, Recognised
from broker.core.urls import DEFAULT_PORTS, Host, Origin, Service, Url

AZURE = "azure"
GOOGLE = "google"
CODEARTIFACT = "codeartifact"
GITLAB = "gitlab"
ARTIFACTORY = "artifactory"
NEXUS = "nexus"
CLOUDSMITH = "cloudsmith"

GITLAB_HOST = "gitlab.com"
GITLAB_API = ("api", "v4")
PORT = DEFAULT_PORTS["https"]

GLOBAL_PATS_END = datetime(2026, 12, 1, tzinfo=UTC)
"""From this day on Azure DevOps takes no personal access token of all organisations."""

REMEMBERED = 256
"""So many services and what they said: clients ask about the same few again and again."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ORGANISATION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?")
_GOOGLE_HOST = re.compile(r"(?P<location>[a-z][a-z0-9-]*)-(?:python|pypi)\.pkg\.dev")
_REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]+"
_CODEARTIFACT_HOST = re.compile(
    r"(?P<domain>[a-z][a-z0-9-]*)-(?P<owner>[0-9]{12})\."
    rf"(?:d\.codeartifact\.(?P<region>{_REGION})\.(?P<suffix>amazonaws\.com(?:\.cn)?)"
    rf"|codeartifact\.(?P<dual>{_REGION})\.on\.aws)"
)
"""`get-repository-endpoint` answers the first form for `ipv4` and the second, without `.d.`, for `dualstack`
(seen on live domains: keyrings.codeartifact#36, codeartifact-gradle-plugin#822). The suffix of China is
botocore's (`partitions.json`); no dual-stack form of it is documented.
"""

_CODEARTIFACT_VPC = re.compile(
    rf"vpce-[a-z0-9-]+\.d\.codeartifact\.(?P<region>{_REGION})\.vpce\.amazonaws\.com"
)
_CODEARTIFACT_DOMAIN = re.compile(r"(?P<domain>[a-z][a-z0-9-]{0,48}[a-z0-9])-(?P<owner>[0-9]{12})")
"""The host and the path's third segment at a VPC endpoint without private DNS (CodeArtifact's user guide,
"Use CodeArtifact from a VPC").
"""


_CODEARTIFACT_REGIONS = (
    *("us-east-1", "us-east-2", "us-west-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    *("ap-northeast-1", "eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3"),
)
"""AWS General Reference, "AWS CodeArtifact endpoints and quotas"; botocore's list is the same. Hosts are
recognised by shape in any region; the authority of a gateway may sign for these without a configured feed.
"""
_CHINA = "amazonaws.com.cn"
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_UNNAMED = re.compile(r"[^A-Za-z0-9._-]+")
_FILES_BESIDE_SIMPLE = frozenset({GITLAB, ARTIFACTORY, NEXUS})
TELL_AT_ROOT = frozenset({AZURE, GOOGLE, CODEARTIFACT})
"""One service each, whose index page takes the tokens that its packages take. Others are set up by their
owners: a Nexus with content selectors, or a proxy, may keep that page from a token that installs well.
"""

ANSWER_STRANGERS = _FILES_BESIDE_SIMPLE
"""They may answer without a password, with fewer versions (astral-sh/uv#3923; GitLab asks the public one)."""

_LAYOUT = frozenset(
    {
        *("-", "+simple", "simple", "index", "root", "files", "download", "upload", "legacy", "packages"),
        *("api", "v1", "v2", "v3", "v4", "pypi", "python", "artifactory", "nexus"),
        *("group", "groups", "project", "projects", "repo", "repos", "repository", "repositories"),
    }
)
"""Path segments that say how a server is laid out, not which of its feeds is meant."""


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


@dataclass(frozen=True, slots=True)
class HostShape:
    """What the hosts of a provider's feeds look like, whatever their path, and the domains they are in."""

    pattern: re.Pattern[str]
    domains: frozenset[str]


HOST_SHAPES = {
    AZURE: HostShape(
        re.compile(
            "|".join(
                f"{re.escape(ring.by_path)}|{_ORGANISATION.pattern}\\.{re.escape(ring.by_name)}"
                for ring in (PRODUCTION, INTERNAL)
            )
        ),
        frozenset(host for ring in (PRODUCTION, INTERNAL) for host in (ring.by_path, ring.by_name)),
    ),
    GOOGLE: HostShape(_GOOGLE_HOST, frozenset({"pkg.dev"})),
    CODEARTIFACT: HostShape(
        _CODEARTIFACT_HOST,
        frozenset(
            f"codeartifact.{region}.{suffix}"
            for region in _CODEARTIFACT_REGIONS
            for suffix in ("amazonaws.com", "on.aws")
        ),
    ),
}
"""By provider, where the host alone names it: who handles connections knows no path yet."""


@lru_cache(maxsize=REMEMBERED)
def recognise(service: Service) -> Recognised | None:
    """Return what the service says of itself, or None when it names no realm. Never raises.

    A bare host is recognised only where it names the realm; `pkgs.dev.azure.com`, which every organisation
    shares, does not.
    """
    match service:
        case Host(host=host, port=port):
            origin, segments = Origin("https", host, PORT if port is None else port), ()
        case Url(origin=origin, segments=segments):
            pass
    if origin.scheme != "https" or origin.port != PORT:
        return None
    shape = _SHAPES.get(".".join(origin.host.split(".")[-2:]))
    return None if shape is None else shape(origin.host, segments)


def provider_of(url: Url) -> str | None:
    """The provider that a configured feed's address names, or None when its host could be anybody's."""
    recognised = recognise(url)
    return None if recognised is None else recognised.realm.provider


def is_azure_host(host: str | None) -> bool:
    """True for any host of Azure DevOps Services: a password for one is good for packages, too."""
    labels = (host or "").lower().rstrip(".").split(".")
    return labels[-3:] == ["dev", "azure", "com"] or labels[-2:] == ["visualstudio", "com"]


def likely_provider(url: Url) -> str | None:
    """The provider that an address's path looks like, on anybody's host; for a person to confirm.

    Nothing is sent anywhere because of it.
    """
    path = url.segments
    for end in range(2, len(path) + 1):
        match path[end - 2 : end]:
            case ("api", "v4") if gitlab_at(Url(url.origin, path[:end]), url) is not None:
                return GITLAB
            case ("api", "pypi") if len(path) > end:
                return ARTIFACTORY
            case ("repository", _) if path[end:] in {(), ("simple",)}:
                return NEXUS
    return None


def looks_like_feed(url: Url) -> bool:
    """True for an address that names or looks like a kind of feed, which `brokerctl add` knows."""
    return (provider_of(url) or likely_provider(url)) is not None


def realm_of(url: Url, provider: str) -> Realm:
    """The realm of a configured feed: what its address names for this provider, else its origin."""
    recognised = recognise(url)
    if recognised is not None and recognised.realm.provider == provider:
        return recognised.realm
    return Realm(provider, str(url.origin))


def spellings_of(url: Url, provider: str) -> tuple[Url, ...]:
    """What else a configured feed answers to: its address's other spellings, and the place of its files.

    Artifactory, Nexus and GitLab keep a repository's files beside its `simple/`, not below it.
    """
    recognised = recognise(url)
    if recognised is not None and recognised.realm.provider == provider:
        return recognised.prefixes
    if provider in _FILES_BESIDE_SIMPLE and url.segments[-1:] == ("simple",):
        return (Url(url.origin, url.segments[:-1]),)
    return ()


def default_name(url: Url) -> str:
    """What a person would call the feed, in letters, digits, `.`, `_` and `-`; never empty, maybe taken."""
    recognised = recognise(url)
    if recognised is not None:
        return recognised.name
    for segment in reversed(url.segments):
        name = _plain(segment)
        if name and segment.lower() not in _LAYOUT and not _is_number(segment):
            return name
    first_label, _, rest = url.origin.host.partition(".")
    return _plain(url.origin.host if _is_number(first_label) or not rest else first_label) or "feed"


def azure_ring(realm: Realm) -> tuple[Ring, str] | None:
    """The deployment and the organisation that an Azure realm names, or None where it is an origin."""
    for ring in (PRODUCTION, INTERNAL):
        organisation = realm.authority.removeprefix(_ring_prefix(ring))
        if realm == _azure_realm(ring, organisation) and _ORGANISATION.fullmatch(organisation):
            return ring, organisation
    return None


def _azure(host: str, segments: tuple[str, ...]) -> Recognised | None:
    for ring in (PRODUCTION, INTERNAL):
        if host == ring.by_path and segments:
            return _azure_feed(ring, segments[0], segments[1:], by_path=True)
        label, _, parent = host.partition(".")
        if parent == ring.by_name:
            return _azure_feed(ring, label, segments, by_path=False)
    return None


def _azure_feed(ring: Ring, organisation: str, path: tuple[str, ...], *, by_path: bool) -> Recognised | None:
    """`path` is what follows the organisation: `[PROJECT/]_packaging/FEED/pypi/...`, or anything else."""
    if not _ORGANISATION.fullmatch(organisation):
        return None
    realm = _azure_realm(ring, organisation)
    named = f"{organisation.lower()}.{ring.by_name}"
    roots = (_https(ring.by_path, organisation), _https(named))
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
    spellings = (*(_below(root, *below) for root in roots), _https(named, "DefaultCollection", *below))
    return Recognised(
        realm,
        organisation.lower() if _GUID.fullmatch(feed) else _plain(feed) or organisation.lower(),
        (_below(spellings[0], "pypi", "simple"), *spellings),
        roots,
        PUBLISH if rest == ["pypi", "upload"] else READ,
    )


def _azure_realm(ring: Ring, organisation: str) -> Realm:
    return Realm(AZURE, _ring_prefix(ring) + organisation.lower())


def _ring_prefix(ring: Ring) -> str:
    """An internal organisation may have the name of a production one, and is not it."""
    return "" if ring is PRODUCTION else f"{ring.suffixes[0]}/"


def _google(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`LOCATION-python.pkg.dev/[DOMAIN/]PROJECT/REPOSITORY/...`; one token opens every location."""
    found = _GOOGLE_HOST.fullmatch(host)
    if found is None:
        return None
    depth = 3 if segments and "." in segments[0] else 2  # domains have dots, project ids never
    return _one_repository(
        Realm(GOOGLE, "pkg.dev"), (_https(host),), segments[:depth], depth, found["location"]
    )


def _codeartifact(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`DOMAIN-OWNER.d.codeartifact.REGION...`; a domain may have hyphens, so the last one parts the two."""
    found = _CODEARTIFACT_HOST.fullmatch(host)
    if found is None:
        return _codeartifact_in_vpc(host, segments)
    region, is_chinese = found["region"] or found["dual"], found["suffix"] == _CHINA
    if is_chinese != region.startswith("cn-"):
        return None
    name = f"{found['domain']}-{found['owner']}"
    hosts = [f"{name}.d.codeartifact.{region}.{_CHINA if is_chinese else 'amazonaws.com'}"]
    hosts += [] if is_chinese else [f"{name}.codeartifact.{region}.on.aws"]
    roots = tuple(_https(each) for each in sorted(hosts, key=lambda each: each != host))
    realm = Realm(CODEARTIFACT, f"{found['domain']}/{found['owner']}/{region}")
    repository = segments[:2] if segments[:1] == ("pypi",) else ()
    return _one_repository(realm, roots, repository, 2, found["domain"])


def _codeartifact_in_vpc(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`https://vpce-....vpce.amazonaws.com/pypi/d/DOMAIN-OWNER/REPOSITORY/`, a door to the same domain."""
    found = _CODEARTIFACT_VPC.fullmatch(host)
    if found is None or segments[:2] != ("pypi", "d") or len(segments) == 2:  # noqa: PLR2004 - `pypi` and `d`
        return None
    named = _CODEARTIFACT_DOMAIN.fullmatch(segments[2])
    if named is None:
        return None
    realm = Realm(CODEARTIFACT, f"{named['domain']}/{named['owner']}/{found['region']}")
    roots = (_https(host, *segments[:3]),)
    if len(segments) == 3:  # noqa: PLR2004 - no repository behind the domain
        return Recognised(realm, named["domain"], roots, roots)
    spelling = _below(roots[0], segments[3])
    return Recognised(
        realm, _plain(segments[3]) or named["domain"], (_below(spelling, "simple"), spelling), roots
    )


def codeartifact_region(host: str) -> str | None:
    """The region that the host of a VPC endpoint names."""
    found = _CODEARTIFACT_VPC.fullmatch(host)
    return None if found is None else found["region"]


def _one_repository(
    realm: Realm, roots: tuple[Url, ...], path: tuple[str, ...], depth: int, otherwise: str
) -> Recognised:
    """A repository whose pages and files lie below `path`; the whole realm when the path is shorter."""
    if len(path) < depth:
        return Recognised(realm, otherwise, roots, roots)
    spellings = tuple(_below(root, *path) for root in roots)
    return Recognised(
        realm, _plain(path[-1]) or otherwise, (_below(spellings[0], "simple"), *spellings), roots
    )


def _cloudsmith(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """`dl.cloudsmith.io/basic/OWNER/REPOSITORY/python/simple/`, and `python.cloudsmith.io/OWNER/REPOSITORY/`,
    which takes uploads.

    Cloudsmith's "Python repository" page. `/public/` wants no credential, and where a token stands in place
    of `basic` the address brings its own.
    """
    match host, segments:
        case "dl.cloudsmith.io", ("basic", owner, *rest):
            repository = rest[0] if rest else None
        case "python.cloudsmith.io", (owner, *rest):
            repository = rest[0] if rest else None
        case _:
            return None
    if not _SLUG.fullmatch(owner):
        return None
    realm = Realm(CLOUDSMITH, owner.lower())
    roots = (_https("dl.cloudsmith.io", "basic", owner), _https("python.cloudsmith.io", owner))
    if repository is None:
        return Recognised(realm, owner.lower(), roots, roots)
    below = tuple(_below(root, repository) for root in roots)
    scope = PUBLISH if host == "python.cloudsmith.io" else READ
    prefixes = (_below(below[0], "python", "simple"), *below)
    return Recognised(realm, _plain(repository) or owner.lower(), prefixes, roots, scope)


def _gitlab(host: str, segments: tuple[str, ...]) -> Recognised | None:
    return gitlab_at(_https(GITLAB_HOST, *GITLAB_API), Url(Origin("https", host, PORT), segments))


def gitlab_at(api: Url, service: Service) -> Recognised | None:
    """What a service says of itself below a GitLab's API: `(projects|groups)/ID/[-/]packages/pypi/...`.

    `api` ends in `/api/v4`; an installation under a relative URL has more before it. The bare host serves
    much else, so it names nothing.
    """
    if not isinstance(service, Url) or not api.covers(service):
        return None
    path = service.segments[len(api.segments) :]
    match path:
        case ("projects", number, "packages", "pypi", *_):
            feed = _below(api, *path[:4])
        case ("groups", number, "-", "packages", "pypi", *_):
            feed = _below(api, *path[:5])
        case _:
            return None
    name = GITLAB if _is_number(number) else _plain(number)
    return Recognised(Realm(GITLAB, str(api.origin)), name or GITLAB, (feed,), (api,))


_SHAPES: dict[str, Callable[[str, tuple[str, ...]], Recognised | None]] = {
    "azure.com": _azure,
    "visualstudio.com": _azure,
    "codedev.ms": _azure,
    "vsts.me": _azure,
    "pkg.dev": _google,
    "amazonaws.com": _codeartifact,
    "com.cn": _codeartifact,
    "on.aws": _codeartifact,
    "cloudsmith.io": _cloudsmith,
    GITLAB_HOST: _gitlab,
}
"""By the host's last two labels, so that all other hosts cost next to nothing."""


def _https(host: str, *segments: str) -> Url:
    return Url(Origin("https", host, PORT), segments)


def _below(url: Url, *segments: str) -> Url:
    return Url(url.origin, (*url.segments, *segments))


def _plain(segment: str) -> str:
    return _UNNAMED.sub("-", unquote(segment)).strip("-.")


def _is_number(segment: str) -> bool:
    return segment.isdecimal() or _GUID.fullmatch(segment) is not None
