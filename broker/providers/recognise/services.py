"""Which provider and realm a service names, by the table of the shapes in this folder."""

from collections.abc import Callable
from functools import lru_cache

from broker.core.feeds import Realm, Recognised
from broker.core.urls import Host, Origin, Service, Url
from broker.providers.recognise.address_parts import PORT
from broker.providers.recognise.azure_addresses import azure_feed
from broker.providers.recognise.cloudsmith_addresses import cloudsmith_feed
from broker.providers.recognise.codeartifact_addresses import codeartifact_feed
from broker.providers.recognise.gitlab_addresses import GITLAB_HOST, gitlab_at, gitlab_feed
from broker.providers.recognise.google_addresses import google_feed
from broker.providers.recognise.kinds import ARTIFACTORY, FILES_BESIDE_SIMPLE, GITLAB, NEXUS

REMEMBERED = 256
"""So many services and what they said: clients ask about the same few again and again."""

_SHAPES: dict[str, Callable[[str, tuple[str, ...]], Recognised | None]] = {
    "azure.com": azure_feed,
    "visualstudio.com": azure_feed,
    "codedev.ms": azure_feed,
    "vsts.me": azure_feed,
    "pkg.dev": google_feed,
    "amazonaws.com": codeartifact_feed,
    "com.cn": codeartifact_feed,
    "on.aws": codeartifact_feed,
    "cloudsmith.io": cloudsmith_feed,
    GITLAB_HOST: gitlab_feed,
}
"""By the host's last two labels, so that all other hosts cost next to nothing."""


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
    if provider in FILES_BESIDE_SIMPLE and url.segments[-1:] == ("simple",):
        return (Url(url.origin, url.segments[:-1]),)
    return ()
