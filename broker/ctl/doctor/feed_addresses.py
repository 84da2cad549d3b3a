"""Feeds whose addresses lead clients astray, whatever token they have."""

from collections.abc import Iterator, Mapping

from broker.core.urls import Url
from broker.ctl.doctor.context import DoctorContext, KnownFeed
from broker.ctl.doctor.finding import Finding, warning
from broker.providers.recognise.kinds import AZURE, GITLAB
from broker.providers.recognise.services import recognise

GROUPS = ("groups", "projects")


def gitlab_by_number(context: DoctorContext) -> Iterator[Finding]:
    """A GitLab feed under a group's name knows the numbers that its pages' links carry."""
    for feed in context.feeds:
        if feed.provider != GITLAB:
            continue
        named = [url for url in feed.urls if _name_in(url) is not None]
        if named and not any(_covers_numbers(url) for url in feed.urls):
            root = f"{named[0].origin}/api/v4/projects/"
            said = f"{feed.name}: its address says {_name_in(named[0])}, but its files' links carry numbers"
            yield warning("gitlab-number", said, f'also = ["{root}"]')


def one_credential_per_host(context: DoctorContext) -> Iterator[Finding]:
    """Feeds of one host have one credential: uv takes the first it gets for all of them."""
    status = context.broker.status
    realms = {feed.name: (feed.realm, feed.account) for feed in status.feeds} if status is not None else {}
    tenants = {feed.name: feed.tenant for feed in status.feeds} if status is not None else {}
    by_host: dict[str, list[KnownFeed]] = {}
    for feed in context.feeds:
        for host in dict.fromkeys(url.origin.host for url in feed.urls[:1]):
            by_host.setdefault(host, []).append(feed)
    for host, feeds in by_host.items():
        credentials: dict[tuple[str, object], str] = {}
        for feed in feeds:
            realm = realms.get(feed.name, (_realm(feed), feed.settings.get("account")))
            credentials.setdefault(realm, feed.name)
        if len(credentials) > 1:
            names = " and ".join(credentials.values())
            said = f"{names} are on {host} with different tokens: uv takes the first one's for all"
            yield warning("one-host", said, _cure(feeds, tenants))


def _cure(feeds: list[KnownFeed], known: Mapping[str, str | None]) -> str:
    """`known` is the tenant of each feed that was signed in to."""
    if any(feed.provider != AZURE for feed in feeds):
        return "install from one of them at a time, or ask for an address of its own"
    tenants = {feed.settings.get("tenant") or known.get(feed.name) for feed in feeds}
    if len(tenants) == 1 and None not in tenants:
        return 'token = "entra" in each [[feed]]: one token for the tenant'
    organisation = next((each.realm.authority for each in map(recognise, feeds[-1].urls) if each), "ORG")
    return f"use https://{organisation}.pkgs.visualstudio.com/ for {feeds[-1].name}"


def _realm(feed: KnownFeed) -> str:
    recognised = recognise(feed.urls[0])
    if recognised is not None and recognised.realm.provider == feed.provider:
        return str(recognised.realm)
    return f"{feed.urls[0].origin} {feed.settings.get('username')} {feed.settings.get('secret')}"


def _name_in(url: Url) -> str | None:
    """The group's or project's name in a GitLab address, None where it is a number."""
    match url.segments:
        case ("api", "v4", kind, name, *_) if kind in GROUPS and not name.isdecimal():
            return name
    return None


def _covers_numbers(url: Url) -> bool:
    match url.segments:
        case ("api", "v4") | ("api", "v4", "projects"):
            return True
        case ("api", "v4", "projects", number, *_):
            return number.isdecimal()
    return not url.segments
