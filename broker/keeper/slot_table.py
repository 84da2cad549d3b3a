"""SlotTable: which slots there are, for which feeds, configured ones and those learned from questions.

Bookkeeping only: nothing here fetches, waits or decides when. Read `keeper/keeper.py` for that.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from broker.core.feeds import (
    PUBLISH,
    READ,
    Ambiguous,
    Feed,
    FeedTable,
    Match,
    NoMatch,
    NoRoom,
    Realm,
    SlotKey,
)
from broker.core.learned_feeds import LEARNED_MAX, LearnedRealm, dispensable
from broker.core.moment import Moment
from broker.core.refresh import Slot
from broker.core.urls import Url
from broker.core.verdict import usable_credential
from broker.keeper.slot_entry import SlotEntry

if TYPE_CHECKING:
    from broker.core.urls import Service

REMEMBERED = 256
"""So many URLs and the feeds they lie below: clients ask about the same few again and again."""

LEARNED_GONE_S = 3600.0
"""A learned feed that never had a credential disappears this long after its last question."""

log = logging.getLogger("broker.keeper")  # a name that users filter by


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """Another table, and what follows from it for the entries there are: made beside the loop (`planned`).

    `moved` are the feeds whose tokens are tried elsewhere now, or no more.
    """

    table: FeedTable
    by_name: dict[str, Feed]
    by_slot: dict[SlotKey, list[Feed]]
    realms: frozenset[Realm]
    seen: frozenset[SlotKey]
    entries: dict[SlotKey, SlotEntry]
    sponsors: list[tuple[SlotEntry, Feed]]
    accounts: dict[tuple[Realm, str, str], Feed]
    moved: frozenset[str]


class SlotTable:
    """All entries by slot key, and the feeds they serve.

    `no_room`: the realm that was last not learned because LEARNED_MAX others were; None while there is room.
    `room_changed` is called after each change of it.
    """

    def __init__(self, table: FeedTable, now: Moment) -> None:
        self._by_key: dict[SlotKey, SlotEntry] = {}
        self._learned: dict[Realm, Feed] = {}
        self.no_room: NoRoom | None = None
        self.room_changed: Callable[[], None] = lambda: None
        self._by_name: dict[str, Feed] = {}
        self._by_slot: dict[SlotKey, list[Feed]] = {}
        self.adopt(self.planned(table, now))

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

    def find(self, service: "Service", username: str | None) -> Match | NoMatch | NoRoom | Ambiguous:
        """The feed that a service belongs to; a learned one under the name it has or would get.

        NoRoom where no learned realm can be given up for a new one (`core/learned_feeds.py`).
        """
        below = self._below(service) if isinstance(service, Url) else None
        if below is not None and below.feed.answers(username):
            return below
        found = self.table.match(service, username)
        if not isinstance(found, Match) or found.feed.configured:
            return found
        known = self._learned.get(found.feed.realm)
        if known is None and self._is_full() and self._dispensable() is None:
            return self._no_room(found.feed.realm)
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
            if not match.feed.configured and match.feed.realm not in self._learned:
                self._learn(match.feed)
            entry = self._by_key[match.key] = SlotEntry(Slot(match.key), match.feed, used=now, since=now.wall)
        return entry

    def planned(self, table: FeedTable, now: Moment) -> SlotPlan:
        """What `adopt` needs to go on with another table. Changes nothing: any thread may ask."""
        existing = dict(self._by_key)
        by_slot: dict[SlotKey, list[Feed]] = {}
        accounts: dict[tuple[Realm, str, str], Feed] = {}
        for feed in table.feeds:
            by_slot.setdefault(feed.key(), []).append(feed)
            accounts.setdefault(_account_of(feed.key()), feed)
        entries: dict[SlotKey, SlotEntry] = {}
        sponsors: list[tuple[SlotEntry, Feed]] = []
        for key, entry in existing.items():
            sponsor = accounts.get(_account_of(key))
            if sponsor is not None:
                entries[key] = entry
                sponsors.append((entry, sponsor))
        for key, feeds in by_slot.items():
            if key not in entries:
                entries[key] = SlotEntry(Slot(key), feeds[0], used=now, since=now.wall)
        by_name = {feed.name: feed for feed in reversed(table.feeds)}
        return SlotPlan(
            table=table,
            by_name=by_name,
            by_slot=by_slot,
            realms=frozenset(feed.realm for feed in table.feeds),
            seen=frozenset(existing),
            entries=entries,
            sponsors=sponsors,
            accounts=accounts,
            moved=frozenset(
                name
                for name, feed in self._by_name.items()
                if name not in by_name or _trial_of(by_name[name]) != _trial_of(feed)
            ),
        )

    def adopt(self, plan: SlotPlan) -> None:
        """Go on with another table: entries that its feeds still need stay, the others are dropped.

        Quick for ten thousand feeds: look-ups wait for it.
        """
        learned = {
            realm: feed
            for realm, feed in self._learned.items()
            if realm not in plan.realms and feed.name not in plan.by_name
        }
        kept, before = plan.entries, self._by_key
        learned_accounts = {_account_of(feed.key()): feed for feed in learned.values()}
        for key in before.keys() - plan.seen:  # asked for since the plan was made
            sponsor = plan.accounts.get(_account_of(key))
            if sponsor is not None:
                kept[key] = before[key]
                plan.sponsors.append((before[key], sponsor))
        if learned_accounts:
            for key, entry in before.items():
                sponsor = learned_accounts.get(_account_of(key))
                if sponsor is not None and key not in kept:
                    kept[key] = entry
                    plan.sponsors.append((entry, sponsor))
        for entry in before.values():
            entry.gone = True
        for entry, sponsor in plan.sponsors:
            entry.feed, entry.gone = sponsor, False
        for entry in before.values():
            if entry.gone:
                entry.drop()
            else:
                entry.forget_words_of(plan.moved)
        self.table = plan.table
        self._below = lru_cache(REMEMBERED)(plan.table.below)
        self._by_name, self._by_slot, self._learned, self._by_key = plan.by_name, plan.by_slot, learned, kept
        self._look_for_room()

    def remove(self, entry: SlotEntry) -> None:
        """Drop an entry and, with the last one of its realm, the feed that was learned for it."""
        entry.drop()
        if self._by_key.get(entry.slot.key) is not entry:
            return  # it was removed before
        entry.gone = True
        del self._by_key[entry.slot.key]
        learned = self._learned.get(entry.slot.key.realm)
        if learned is not None and not self._entries_of(learned):
            del self._learned[learned.realm]
            self._look_for_room()

    def is_gone(self, entry: SlotEntry, now: Moment) -> bool:
        """True for a learned feed that has no credential and no look-up lately."""
        return (
            not entry.feed.configured
            and entry.slot.held is None
            and entry.flight is None
            and entry.used.after(LEARNED_GONE_S).reached(now)
        )

    def _is_full(self) -> bool:
        return len(self._learned) >= LEARNED_MAX

    def _entries_of(self, learned: Feed) -> list[SlotEntry]:
        found = (self._by_key.get(learned.key(scope)) for scope in (READ, PUBLISH))
        return [entry for entry in found if entry is not None]

    def _dispensable(self) -> Realm | None:
        """The learned realm that would go for a new one."""
        return dispensable(
            LearnedRealm(
                realm,
                max((entry.used.boot_s for entry in entries), default=0.0),
                any(entry.has_succeeded or entry.slot.held is not None for entry in entries),
                any(entry.flight is not None for entry in entries),
            )
            for realm, entries in ((feed.realm, self._entries_of(feed)) for feed in self._learned.values())
        )

    def _learn(self, feed: Feed) -> None:
        """Remember the feed, in place of another where there is no room."""
        given_up = self._dispensable() if self._is_full() else None
        if given_up is not None:
            log.debug("learned_feed_given_up realm=%s for=%s", given_up, feed.realm)
            for entry in self._entries_of(self._learned[given_up]):
                self.remove(entry)
            self._learned.pop(given_up, None)
        self._learned[feed.realm] = feed
        self._lacks_room(None)

    def _no_room(self, realm: Realm) -> NoRoom:
        if self.no_room is None:
            log.warning("learned_feeds_full realm=%s learned=%d", realm, len(self._learned))
        why = f"{LEARNED_MAX} others that need no [[feed]] are in use already, which is the limit"
        lacking = NoRoom(realm, f"{realm} was not learned: {why}")
        self._lacks_room(lacking)
        return lacking

    def _look_for_room(self) -> None:
        if not self._is_full():
            self._lacks_room(None)

    def _lacks_room(self, lacking: NoRoom | None) -> None:
        if self.no_room != lacking:
            self.no_room = lacking
            self.room_changed()


def _trial_of(feed: Feed) -> tuple[Url, bool]:
    """Where its tokens are tried, and whether they are."""
    return feed.url, feed.verify


def _account_of(key: SlotKey) -> tuple[Realm, str, str]:
    """The key without its scope: what a feed's read and publish credentials have in common."""
    return key.realm, key.identity, key.kind
