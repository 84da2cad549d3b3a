"""One page to paste for a colleague: the findings and what they rest on, in token-broker's own words.

No name, address, path or value of this machine is in it: `redaction.py` replaces each by a pseudonym.
"""

import platform
import re
from collections.abc import Iterator, Sequence

from broker.core.urls import Url, urls_of
from broker.ctl.clients.client_index import Index
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding
from broker.ctl.doctor.redaction import Redactor
from broker.ctl.doctor.screen import screen
from broker.ctl.service import systemd
from broker.host.installation import installed_version

_SYSTEMD = re.compile(r"systemd [0-9]+")
_RELEASE = re.compile(r"[0-9]+\.[0-9]+")


def report(context: DoctorContext, found: Sequence[Finding]) -> str:
    """The page."""
    manager = _SYSTEMD.match(systemd.ask("systemctl", "--version"))
    release = _RELEASE.match(platform.release())  # a kernel's full name may be a company's
    tool = f"token-broker {installed_version() or 'unknown'} · Python {platform.python_version()}"
    machine = f"{platform.system()} {release[0] if release else ''} {platform.machine()}"
    head = (f"{tool} · {machine}", manager[0] if manager else "no systemd", "")
    redactor = Redactor(dict(_names(context)))
    return "\n".join([*head, redactor.redacted("\n".join([screen(found), "", *_feeds(context)]))])


def _names(context: DoctorContext) -> Iterator[tuple[str, str]]:
    """What is known to be a name here and could also be a word of ours: a feed may be called `internal`."""
    status = context.broker.status
    for feed in status.feeds if status is not None else ():
        yield from ((feed.name, "feed"), (feed.realm.partition(":")[2], "realm"))
        yield from ((text, kind) for text, kind in _people(feed.account, feed.username, feed.tenant))
        for url in urls_of(feed.urls):
            yield from _of(url)
    for known in context.feeds:
        yield known.name, "feed"
        for url in known.urls:
            yield from _of(url)
        yield from ((str(value), "value") for value in known.settings.values() if isinstance(value, str))
    for index in context.indexes:
        yield from _of_index(index)
    home = context.user_dirs.home
    yield from ((part, "name") for part in (home.name, platform.node(), context.directory.name))


def _people(*texts: str | None) -> Iterator[tuple[str, str]]:
    yield from ((text, "account") for text in texts if text)


def _of_index(index: Index) -> Iterator[tuple[str, str]]:
    yield index.name, "index"
    yield from _people(index.username)
    for url in urls_of([index.url]):
        yield from _of(url)


def _of(url: Url) -> Iterator[tuple[str, str]]:
    """Host and path of an address, whose words are an organisation's, a project's or a feed's names."""
    yield url.origin.host, "host"
    yield from ((segment, "name") for segment in url.segments if segment not in COMMON_SEGMENTS)


COMMON_SEGMENTS = frozenset(
    {
        "pypi",
        "simple",
        "_packaging",
        "api",
        "v4",
        "groups",
        "projects",
        "packages",
        "artifactory",
        "repository",
    }
)
"""Parts of addresses that servers prescribe."""


def _feeds(context: DoctorContext) -> list[str]:
    status = context.broker.status
    if status is None:
        return ["no broker answered"]
    return [
        f"{feed.name}: {feed.realm}, {feed.state}, {'usable' if feed.usable else 'not usable'}, "
        f"by {feed.source}, {feed.lookups} look-ups, {feed.fetches} fetches, {feed.error or 'no error'}"
        for feed in status.feeds
    ] or ["no feeds"]
