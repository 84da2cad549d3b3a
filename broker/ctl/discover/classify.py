"""From the indexes of all clients to the feeds they are: known to the broker, public, or to be added. Pure.

An address is told by its shape before anybody is asked; only `anonymous_probe.py` asks.
"""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from broker.config.model import Config
from broker.core.failures import BadRequest
from broker.core.feeds import FEED_NAME, Ambiguous, Feed, FeedTable, Match
from broker.core.status import FeedStatus
from broker.core.urls import Url, may_be_token, path_token, printable
from broker.ctl.clients.client_index import ALWAYS, Index
from broker.ctl.matching import BY_THEMSELVES, table_of
from broker.providers.recognise.feed_name import default_name
from broker.providers.recognise.services import likely_provider, provider_of

_ENDS = ("simple", "+simple", "upload", "legacy")
"""What the pages and the upload address of one feed differ in."""

TOKEN_IN_PATH = "its path holds what may be a token: clients send it and ask no keyring"  # noqa: S105 - a sentence

NOT_ASKED = "not asked whether it is public"


class FeedStanding(StrEnum):
    """What the broker makes of an address."""

    CONFIGURED = "configured"
    AUTOMATIC = "automatic"
    TO_ADD = "to-add"
    UNSURE = "unsure"
    UNUSABLE = "unusable"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """One feed, and every place that names it.

    `url` is without userinfo; None where the address cannot be a feed's. `feed` is the configured feed, `why`
    says in a few words how the standing is known.
    """

    url: Url | None
    standing: FeedStanding
    indexes: tuple[Index, ...]
    provider: str | None = None
    feed: Feed | None = None
    why: str | None = None

    @property
    def shown(self) -> str:
        """The address for a person, without anything that could be a secret."""
        return _without_secrets(self.indexes[0]) if self.url is None else str(self.url)

    @property
    def username(self) -> str | None:
        """The user name that one of its clients knows."""
        return next((each.username for each in self.indexes if each.username), None)

    @property
    def with_password(self) -> tuple[Index, ...]:
        """The places that hold a password: a client that reads one asks no keyring."""
        return tuple(each for each in self.indexes if each.has_password)

    @property
    def command(self) -> str | None:
        """What adds it to the configuration; None where it is known already, or cannot be."""
        if self.url is None or self.standing not in {FeedStanding.TO_ADD, FeedStanding.UNSURE}:
            return None
        if self.why == NOT_ASKED:  # it may be the public index, or a mirror of it
            return None
        words = ["brokerctl", "add", str(self.url)]
        name = next((each.name for each in self.indexes if FEED_NAME.fullmatch(each.name)), None)
        if name is not None and name != default_name(self.url):
            words += ["--name", name]
        if self.provider not in {provider_of(self.url) or likely_provider(self.url), None}:
            words += ["--provider", str(self.provider)]
        if self.username is not None and self.provider not in BY_THEMSELVES and self._shows(self.username):
            words += ["--username", self.username]
        return shlex.join(words)

    @staticmethod
    def _shows(username: str) -> bool:
        """Whether the line names the user: not by a variable, nor by what may be a token."""
        return "$" not in username and not may_be_token(username)


def classify(indexes: Iterable[Index], config: Config, served: Sequence[FeedStatus] = ()) -> list[FoundFeed]:
    """The feeds in the order they were found; those that only asking could tell are UNSURE.

    `served` is what running brokers say, the system's included: it adds to what the configuration says.
    """
    table = table_of(config, served)
    groups: dict[Url, list[Index]] = {}
    found: list[FoundFeed] = []
    for index in indexes:
        if not index.is_remote:
            continue
        try:
            groups.setdefault(_stem(index.address), []).append(index)
        except BadRequest as error:
            found.append(FoundFeed(None, FeedStanding.UNUSABLE, (index,), why=error.detail))
    return [*(_sighting(tuple(group), table) for group in groups.values()), *found]


def _sighting(indexes: tuple[Index, ...], table: FeedTable) -> FoundFeed:
    chosen = next((each for each in indexes if not each.publishes), indexes[0])
    url = chosen.address
    match table.match(url):
        case Match(feed=feed) | Ambiguous(feeds=(feed, *_)):
            standing = FeedStanding.CONFIGURED if feed.configured else FeedStanding.AUTOMATIC
            return FoundFeed(url, standing, indexes, feed.realm.provider, feed)
    if path_token(url) is not None:
        others = (each for each in indexes if each is not chosen)
        return FoundFeed(None, FeedStanding.UNUSABLE, (chosen, *others), why=TOKEN_IN_PATH)
    named, likely = provider_of(url), likely_provider(url)
    if named is not None:
        why = "auto leaves it out" if named in BY_THEMSELVES else named
        return FoundFeed(url, FeedStanding.TO_ADD, indexes, named, why=why)
    if likely is not None:
        return FoundFeed(url, FeedStanding.TO_ADD, indexes, likely, why=f"{likely} by its address")
    if any(each.username or each.has_password or each.authenticate == ALWAYS for each in indexes):
        return FoundFeed(url, FeedStanding.TO_ADD, indexes, why="a client signs in there")
    return FoundFeed(url, FeedStanding.UNSURE, indexes, why=NOT_ASKED)


def _stem(url: Url) -> Url:
    """What a feed's pages and its upload address have in common."""
    return Url(url.origin, url.segments[:-1]) if url.segments and url.segments[-1] in _ENDS else url


def _without_secrets(index: Index) -> str:
    """An address that cannot be taken apart, if it is sure where its userinfo ends."""
    shown = printable(index.url)
    if shown is None:
        return "an address that is none"
    try:
        token = path_token(index.address)
    except BadRequest:
        token = None
    return shown if token is None else shown.replace(token, "TOKEN")
