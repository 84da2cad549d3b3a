"""The screen of `brokerctl discover`: how many there are, where each was found, what to type. Pure."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from broker.ctl.clients.all_indexes import LookedAt
from broker.ctl.clients.client_index import UV, Index, Obstacle
from broker.ctl.discover.classify import FeedStanding, FoundFeed
from broker.ctl.ui.layout import broken

MARKS = {
    FeedStanding.CONFIGURED: "\N{CHECK MARK}",
    FeedStanding.AUTOMATIC: "\N{CHECK MARK}",
    FeedStanding.TO_ADD: "+",
    FeedStanding.UNSURE: "?",
    FeedStanding.UNUSABLE: "\N{BALLOT X}",
}
"""Words say it, too."""

KNOWN = (FeedStanding.CONFIGURED, FeedStanding.AUTOMATIC)
INDENT = " " * 5
PUBLIC_SHOWN = 3
"""Public ones are told by their hosts, and not all of a long list."""

FILES_SHOWN = 12

Shown = Callable[[Path | str], str]


def screen(found_feeds: Sequence[FoundFeed], shown: Shown, looked: LookedAt, cells: int | None = None) -> str:
    """The whole screen, its sentences broken at so many cells (None: never); commands are copied, and whole.

    `shown` spells a place as a person would; `looked` is told where no index was found.
    """
    feeds = [each for each in found_feeds if each.standing is not FeedStanding.PUBLIC]
    public = [each for each in found_feeds if each.standing is FeedStanding.PUBLIC]
    blocks = [[_headline(feeds, public)]]
    blocks += [] if found_feeds else [list(_looked(looked, shown, cells))]
    order = (*KNOWN, FeedStanding.TO_ADD, FeedStanding.UNSURE, FeedStanding.UNUSABLE)
    listed = [
        line
        for standing in order
        for each in feeds
        if each.standing is standing
        for line in _lines(each, shown, cells)
    ]
    blocks += [listed] if listed else []
    unread = [_sentence(f"{shown(path)} is passed over: {why}", cells, " ! ") for path, why in looked.unread]
    blocks += [unread] if unread else []
    silent = sum(
        any(_is_never_asked(index) for index in each.indexes) for each in feeds if each.standing in KNOWN
    )
    if silent:
        which = "1 of them has" if silent == 1 else f"{silent} of them have"
        blocks += [[f"{which} no user name, so uv will never ask: brokerctl doctor"]]
    blocks += [[_quietly(public)]] if public and feeds else []
    return "\n\n".join("\n".join(block) for block in blocks)


def _headline(feeds: Sequence[FoundFeed], public: Sequence[FoundFeed]) -> str:
    if not feeds:
        return (
            _quietly(public)
            if public
            else "No package index is named in what was read: clients use their own."
        )
    counts = [
        (sum(each.standing in KNOWN for each in feeds), "known to the broker"),
        (sum(each.standing is FeedStanding.TO_ADD for each in feeds), "to add"),
        (sum(each.standing is FeedStanding.UNSURE for each in feeds), "unsure"),
        (sum(each.standing is FeedStanding.UNUSABLE for each in feeds), "unusable"),
    ]
    found = f"{len(feeds)} feed{'' if len(feeds) == 1 else 's'} found"
    told = [f"{count} {what}" for count, what in counts if count]
    if counts[0][0] == len(feeds):
        return f"{found}, {'all ' if len(feeds) > 1 else ''}known to the broker"
    return f"{found}: {', '.join(told)}" if len(told) > 1 else f"{found}, {told[0].partition(' ')[2]}"


def _looked(looked: LookedAt, shown: Shown, cells: int | None) -> Iterator[str]:
    files = [shown(path) for path in looked.files[:FILES_SHOWN]]
    more = len(looked.files) - len(files)
    yield _sentence(f"read: {', '.join(files) or 'no file'}{f' and {more} more' if more else ''}", cells)
    yield _sentence(
        f"looked for: {', '.join(looked.names)}, the settings of uv, pip, poetry and PDM, "
        "uv's installed tools, and the variables of uv, pip and twine",
        cells,
    )


def _lines(found: FoundFeed, shown: Shown, cells: int | None) -> Iterator[str]:
    yield f" {MARKS[found.standing]} {found.shown}"
    places = dict.fromkeys(_place(index, shown) for index in found.indexes)
    yield _sentence(_standing(found), cells)
    yield _sentence(", ".join(places), cells)
    for source in dict.fromkeys(each.place.source for each in found.with_password):
        said = f"! {shown(source)} holds a password, which is used before any keyring: take it out"
        yield _sentence(said, cells)
    if found.command is not None:
        condition = "" if found.standing is FeedStanding.TO_ADD else "if it is private: "
        yield f"{INDENT}{condition}{found.command}"


def _standing(found: FoundFeed) -> str:
    provider, feed = found.provider, found.feed
    match found.standing:
        case FeedStanding.CONFIGURED if feed is not None:
            where = f" ({feed.place})" if feed.place is not None else ", as a running broker says"
            return f"{provider}, configured as {feed.name}{where}"
        case FeedStanding.AUTOMATIC:
            return f"{provider}, needs no configuration"
    return found.why or ""


def _is_never_asked(index: Index) -> bool:
    """True for an index that uv reads and has no user name for."""
    lacking = {Obstacle.NO_USERNAME, Obstacle.LONE_PASSWORD}
    return index.client == UV and not index.publishes and not lacking.isdisjoint(index.obstacles)


def _place(index: Index, shown: Shown) -> str:
    named = f" ({index.name})" if index.name and index.name.isprintable() else ""
    return f"{index.client}: {index.place.shown(shown)}{named}"


def _quietly(public: Sequence[FoundFeed]) -> str:
    hosts = list(dict.fromkeys(each.url.origin.host for each in public if each.url is not None))
    more = ", ..." if len(hosts) > PUBLIC_SHOWN else ""
    what = "1 public index" if len(public) == 1 else f"{len(public)} public indexes"
    return f"{what}, nothing to do: {', '.join(hosts[:PUBLIC_SHOWN])}{more}"


def _sentence(text: str, cells: int | None, head: str = INDENT) -> str:
    return f"{head}{text}" if cells is None else "\n".join(broken(text, cells, head))
