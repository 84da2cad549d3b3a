"""SlotTable: which slots there are, for which feeds, configured ones and those learned from questions.

Bookkeeping only: nothing here fetches, waits or decides when. Read `keeper/keeper.py` for that.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from broker.core.feeds import Ambiguous, Feed, FeedTable, Match, NoMatch, Realm, SlotKey
from broker.core.refresh import Moment, Slot, State
from broker.core.urls import Url
from broker.core.verdict import Verification, usable_credential

if TYPE_CHECKING:
    from collections.abc import Hashable

    from broker.core.failures import NotObtained
    from broker.core.urls import Service

LEARNED_MAX = 64
"""So many realms are learned at most: look-ups for more and more hosts must not make the daemon grow."""

REMEMBERED = 256
"""So many URLs and the feeds they lie below: clients ask about the same few again and again."""

LEARNED_GONE_S = 3600.0
"""A learned feed that never had a credential disappears this long after its last question."""


@dataclass(slots=True, eq=False)
class SlotEntry:
    """A slot and what surrounds it.

    `feed` is the one whose settings and URL the credential is obtained with, `used` the last question,
    `since` the last change of state. `asked` names the feeds that a look-up was
    for. `wanted` is false after `forget`, until the next question. `fingerprint`
    is the provider's sign-in fingerprint at the last attempt.
    """

    slot: Slot
    feed: Feed
    used: Moment
    since: datetime
    shown: State = State.EMPTY
    wanted: bool = True
    fetches: int = 0
    failed_fetches: int = 0
    fingerprint: "Hashable" = None
    flight: "asyncio.Task[NotObtained | None] | None" = None
    verifications: dict[str, Verification] = field(default_factory=dict)
    verifying: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def drop(self) -> None:
        """Forget the credential and give up what is under way."""
        for task in (self.flight, *self.verifying.values()):
            if task is not None:
                task.cancel()
        self.flight = None
        self.slot, self.wanted = Slot(self.slot.key), False
        self.verifications.clear()
        self.verifying.clear()


class SlotTable:
    """All entries by slot key, and the feeds they serve."""

    def __init__(self, table: FeedTable, now: Moment) -> None:
        self._by_key: dict[SlotKey, SlotEntry] = {}
        self._learned: dict[Realm, Feed] = {}
        self._by_name: dict[str, Feed] = {}
        self._by_slot: defaultdict[SlotKey, list[Feed]] = defaultdict(list)
        self.adopt(table, now)

    def __iter__(self) -> Iterator[SlotEntry]:
        return iter(tuple(self._by_key.values()))

    def feeds(self) -> Iterator[Feed]:
        """Every feed there is, configured ones first."""
        yield from self.table.feeds
        yield from self._learned.values()

    def count(self, now: Moment) -> tuple[int, int]:
        """How many feeds' look-ups would be answered now, and how many feeds there are.

        As cheap as can be, by slot: the daemon reports this every few seconds, asked or not.
        """
        usable = 0
        for key, entry in self._by_key.items():
            verifications = entry.verifications
            untried = usable_credential(entry.slot, None, now) is not None
            for feed in self.sharing(key):
                tried = verifications.get(feed.name)
                if tried is None:
                    usable += untried
                else:
                    usable += usable_credential(entry.slot, tried, now) is not None
        return usable, len(self.table.feeds) + len(self._learned)

    def named(self, name: str) -> Feed | None:
        """The feed of that name."""
        learned = (feed for feed in self._learned.values() if feed.name == name)
        return self._by_name.get(name) or next(learned, None)

    def sharing(self, key: SlotKey) -> Iterator[Feed]:
        """Every feed that has the credential of this slot, in its own scope."""
        yield from self._by_slot.get(key, ())
        learned = self._learned.get(key.realm)
        if learned is not None and learned.key() == key:
            yield learned

    def holding(self, feed: Feed) -> SlotEntry | None:
        """The entry of the feed's own credential, if there is one yet."""
        return self._by_key.get(feed.key())

    def of_account(self, feed: Feed) -> Iterator[SlotEntry]:
        """Every entry of the feed's realm and identity, in whatever scope."""
        return (entry for entry in self if _account_of(entry.slot.key) == _account_of(feed.key()))

    def of_realm(self, realm: Realm) -> Iterator[SlotEntry]:
        """Every entry of the realm: of all its identities, kinds and scopes."""
        return (entry for entry in self if entry.slot.key.realm == realm)

    def find(self, service: "Service", username: str | None) -> Match | NoMatch | Ambiguous:
        """The feed that a service belongs to; a learned one under the name it has or would get."""
        below = self._below(service) if isinstance(service, Url) else None
        if below is not None and below.feed.answers(username):
            return below
        found = self.table.match(service, username)
        if not isinstance(found, Match) or found.feed.configured:
            return found
        known = self._learned.get(found.feed.realm)
        if known is None and len(self._learned) >= LEARNED_MAX:
            return NoMatch(f"{LEARNED_MAX} realms were learned already: add this feed to the configuration")
        if known is None:
            name, number = found.feed.name, 2
            while self.named(name) is not None:
                name, number = f"{found.feed.name}-{number}", number + 1
            known = replace(found.feed, name=name)
        return replace(found, feed=known)

    def of(self, match: Match, now: Moment) -> SlotEntry:
        """The match's entry, made now if this is the first question for it."""
        entry = self._by_key.get(match.key)
        if entry is None:
            if not match.feed.configured:
                self._learned.setdefault(match.feed.realm, match.feed)
            entry = self._by_key[match.key] = SlotEntry(Slot(match.key), match.feed, used=now, since=now.wall)
        return entry

    def adopt(self, table: FeedTable, now: Moment) -> None:
        """Go on with another table: entries that its feeds still need stay, the others are dropped."""
        self.table = table
        self._below = lru_cache(REMEMBERED)(table.below)
        self._by_name = {feed.name: feed for feed in reversed(table.feeds)}
        self._by_slot.clear()
        for feed in table.feeds:
            self._by_slot[feed.key()].append(feed)
        realms = {feed.realm for feed in table.feeds}
        names = {feed.name for feed in table.feeds}
        self._learned = {
            realm: feed
            for realm, feed in self._learned.items()
            if realm not in realms and feed.name not in names
        }
        sponsors = {_account_of(feed.key()): feed for feed in reversed(list(self.feeds()))}
        for entry in self:
            sponsor = sponsors.get(_account_of(entry.slot.key))
            if sponsor is None:
                self.remove(entry)
            else:
                entry.feed = sponsor
        for feed in table.feeds:
            self.of(Match(feed, feed.key(), "configured"), now)

    def remove(self, entry: SlotEntry) -> None:
        """Drop an entry and, with it, the feed that was learned for it."""
        entry.drop()
        del self._by_key[entry.slot.key]
        self._learned = {realm: feed for realm, feed in self._learned.items() if feed.key() != entry.slot.key}

    def is_gone(self, entry: SlotEntry, now: Moment) -> bool:
        """True for a learned feed that has no credential and no look-up lately."""
        return (
            not entry.feed.configured
            and entry.slot.held is None
            and entry.flight is None
            and entry.used.after(LEARNED_GONE_S).reached(now)
        )


def _account_of(key: SlotKey) -> tuple[Realm, str, str]:
    """The key without its scope: what a feed's read and publish credentials have in common."""
    return key.realm, key.identity, key.kind
