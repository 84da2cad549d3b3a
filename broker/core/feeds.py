"""Which feed a question is about: Feed, Realm, FeedTable and its one decision, `match`.

A feed is a URL prefix; a realm is the authority that one credential is good for. The realm, not the URL,
is the key of trust: Azure's file links carry GUIDs instead of names, Google's lie outside `simple/`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from broker.core.credential import unanswerable_username
from broker.core.urls import Host, Origin, Service, Url

FEED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a feed may be called: a word of a command line, whatever the shell."""

READ = "read"
PUBLISH = "publish"

NO_FEED = "no feed has this address"
"""The shims tell it where a command follows it; else an address is none of ours."""

OTHER_USERNAME = ", the URL says "
"""In what is said of a feed that answers another username; the shims tell it for these words."""

DEFAULT_IDENTITY = "default"
"""The identity of a feed that says nothing of who signs in: the default of its whole realm."""


class Realm(NamedTuple):
    """The authority one credential is good for, such as an Azure DevOps organisation or an origin."""

    provider: str
    authority: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.authority}"


@dataclass(frozen=True, slots=True)
class Allow:
    """Who may use a feed of the system broker, by name, beside root."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class SlotKey(NamedTuple):
    """What makes two credentials different: realm, who signs in, what it may do, which kind of token."""

    realm: Realm
    identity: str
    scope: str
    kind: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A place that package clients ask about, and whose credential it takes.

    `prefixes`: the configured URL first, then every other spelling it answers to. `username`: the only one
    that this feed answers, or None where the server ignores it. `place` is the line that configures it,
    `settings` are the provider's own. `allow` counts at the system broker only.
    `configured` is false for a feed learned from a question about a host that names its provider.
    `verify`: its tokens are tried at `url`; `may_serve_below`: a no there may be about that page alone.
    """

    name: str
    realm: Realm
    prefixes: tuple[Url, ...]
    identity: str = DEFAULT_IDENTITY
    kind: str = "password"
    scope: str = READ
    username: str | None = None
    configured: bool = True
    verify: bool = True
    allow: Allow | None = None
    place: str | None = field(default=None, compare=False)
    settings: object = field(default=None, compare=False)
    may_serve_below: bool = False

    @property
    def url(self) -> Url:
        """The URL it was configured or first asked with."""
        return self.prefixes[0]

    def key(self, scope: str | None = None) -> SlotKey:
        """The slot of this feed's credential; `scope` where a question needs another than the feed's own."""
        return SlotKey(self.realm, self.identity, scope or self.scope, self.kind)

    def answers(self, username: str | None) -> bool:
        """True when this feed's credential may go with the username; none at all goes with any."""
        return not username or self.username is None or self.username == username


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a URL or host says of itself, read from a provider's documented URL shapes.

    `prefixes` are all spellings of the feed's own URL, `roots` those of its whole realm; `name` is what a
    person would call it. `scope` is PUBLISH for an upload address. `stands_for` is the configured address
    whose credential is known to be good for it, where its provider has learned that.
    """

    realm: Realm
    name: str
    prefixes: tuple[Url, ...]
    roots: tuple[Url, ...]
    scope: str = READ
    stands_for: Url | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The feed that answers, and the slot that its credential is kept in.

    `stands_in`: the address lies under none of the feed's own prefixes, but in its realm or on its host, and
    every feed with this credential could answer as well.
    """

    feed: Feed
    key: SlotKey
    why: str
    stands_in: bool = False


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No feed answers; `why` is one line for a person. `names_feed`: the address is of a kind of feed."""

    why: str
    names_feed: bool = False


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The address names a realm that could be learned, were there room; `why` is one line for a person."""

    realm: Realm
    why: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several feeds could answer, with different credentials."""

    feeds: tuple[Feed, ...]


Recognise = Callable[[Service], Recognised | None]
"""What a service says of itself. `stands_for` may be learned later; the scope of an address never changes."""

Adopt = Callable[[Recognised], Feed | None]


def other_username(feed: str, answers: str | None, asked: str | None) -> str:
    """Why a feed does not answer a username; one that is no plain word is not repeated."""
    own = "another" if answers is None else answers
    named = "another" if not asked or unanswerable_username(asked) else asked
    return f"feed {feed} answers {own}{OTHER_USERNAME}{named}"


class FeedTable:
    """All configured feeds, laid out so that a match costs the depth of a path, not the number of feeds.

    `groups` are all that some feed's `allow` names. `recognise` reads a service's own shape; `adopt` makes
    an unconfigured feed of it, or None where `auto` does not cover its provider. `looks_like_feed` tells an
    address of a kind that can be configured. Never changes after it was made.
    """

    def __init__(
        self,
        feeds: Iterable[Feed],
        recognise: Recognise,
        adopt: Adopt,
        looks_like_feed: Callable[[Url], bool] = lambda _: False,
    ) -> None:
        self.feeds = tuple(feeds)
        self.groups = frozenset(
            group for feed in self.feeds if feed.allow is not None for group in feed.allow.groups
        )
        self._recognise = recognise
        self._adopt = adopt
        self._looks_like_feed = looks_like_feed
        self._by_prefix: defaultdict[Origin, dict[tuple[str, ...], Match]] = defaultdict(dict)
        self._by_realm: defaultdict[Realm, list[Feed]] = defaultdict(list)
        self._by_host: defaultdict[str, list[Feed]] = defaultdict(list)
        for feed in self.feeds:
            self._by_realm[feed.realm].append(feed)
            key = feed.key()
            for url in feed.prefixes:
                count = len(url.segments)
                match = Match(feed, key, f"longest prefix, {count} segment{'' if count == 1 else 's'}")
                self._by_prefix[url.origin].setdefault(url.segments, match)
                self._by_host[url.origin.host].append(feed)

    def match(self, service: Service, username: str | None = None) -> Match | NoMatch | Ambiguous:
        """Return the feed whose prefix is the longest whole-segment prefix of `service`.

        A URL under none of them, but in a realm that its host and path name, takes the realm's default
        credential. A bare host matches only when all its feeds share one credential or it names the realm
        itself. Never raises.
        """
        found: Match | Ambiguous | None = self.below(service) if isinstance(service, Url) else None
        if found is None:
            found = self._elsewhere(service)
        if not isinstance(found, Match):
            return found or NoMatch(NO_FEED, isinstance(service, Url) and self._looks_like_feed(service))
        if not found.feed.answers(username):
            return NoMatch(other_username(found.feed.name, found.feed.username, username))
        return found

    def below(self, url: Url) -> Match | None:
        """The feed that has the URL below one of its own prefixes. The answer never changes."""
        found = self._by_url(url)
        return None if found is None else _in_scope(found, self._recognise(url))

    def _elsewhere(self, service: Service) -> Match | Ambiguous | None:
        recognised = self._recognise(service)
        found: Match | Ambiguous | None = None
        if recognised is not None:
            known = None if recognised.stands_for is None else self._by_url(recognised.stands_for)
            found = known or self._in_realm(recognised)
        if found is None and isinstance(service, Host):
            found = self._on_host(service)
        return _in_scope(found, recognised) if isinstance(found, Match) else found

    def _by_url(self, url: Url) -> Match | None:
        by_segments = self._by_prefix.get(url.origin)
        if by_segments is None:
            return None
        for length in range(len(url.segments), -1, -1):
            match = by_segments.get(url.segments[:length])
            if match is not None:
                return match
        return None

    def _in_realm(self, recognised: Recognised) -> Match | Ambiguous | None:
        feeds = self._by_realm.get(recognised.realm)
        if not feeds:
            learned = self._adopt(recognised)
            return None if learned is None else Match(learned, learned.key(), "its address names the realm")
        default = [feed for feed in feeds if feed.identity == DEFAULT_IDENTITY]
        readers = [feed for feed in default if feed.scope == READ]
        return _only(readers or default or feeds, f"the default of realm {recognised.realm}")

    def _on_host(self, host: Host) -> Match | Ambiguous | None:
        feeds = [
            feed
            for feed in self._by_host.get(host.host, ())
            if any(host.is_of(url.origin) for url in feed.prefixes)
        ]
        return _only(feeds, f"every feed on {host.host} has this credential") if feeds else None


def _in_scope(found: Match, recognised: Recognised | None) -> Match:
    """The match with the slot of the scope that its address asks for."""
    if recognised is None or recognised.scope == READ:
        return found
    return replace(found, key=found.feed.key(recognised.scope))


def _only(feeds: list[Feed], why: str) -> Match | Ambiguous:
    """The first feed when all share one credential, else Ambiguous."""
    if len({feed.key() for feed in feeds}) > 1:
        return Ambiguous(tuple(dict.fromkeys(feeds)))
    return Match(feeds[0], feeds[0].key(), why, stands_in=True)
