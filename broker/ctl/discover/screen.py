"""The screen of `brokerctl discover`: how many there are, where each was found, what to type. Pure."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.discover.classify import Sighting, Standing

MARKS = {
    Standing.CONFIGURED: "\N{CHECK MARK}",
    Standing.AUTOMATIC: "\N{CHECK MARK}",
    Standing.TO_ADD: "+",
    Standing.UNSURE: "?",
    Standing.UNUSABLE: "\N{BALLOT X}",
}
"""Words say it, too."""

KNOWN = (Standing.CONFIGURED, Standing.AUTOMATIC)
INDENT = 5
PUBLIC_SHOWN = 3
"""Public ones are told by their hosts, and not all of a long list."""

Shown = Callable[[Path | str], str]


def screen(sightings: Sequence[Sighting], unread: Sequence[tuple[Path, str]], shown: Shown) -> str:
    """The whole screen; `unread` are files that say nothing, `shown` spells a place as a person would."""
    feeds = [each for each in sightings if each.standing is not Standing.PUBLIC]
    public = [each for each in sightings if each.standing is Standing.PUBLIC]
    blocks = [[_headline(feeds, public)]]
    order = (*KNOWN, Standing.TO_ADD, Standing.UNSURE, Standing.UNUSABLE)
    listed = [
        line
        for standing in order
        for each in feeds
        if each.standing is standing
        for line in _lines(each, shown)
    ]
    blocks += [listed] if listed else []
    blocks += [[f" ! {shown(path)} is passed over: {why}" for path, why in unread]] if unread else []
    silent = sum(any(index.is_silent for index in each.indexes) for each in feeds if each.standing in KNOWN)
    if silent:
        which = "1 of them has" if silent == 1 else f"{silent} of them have"
        blocks += [[f"{which} no user name, so uv will never ask: brokerctl doctor"]]
    blocks += [[_quietly(public)]] if public and feeds else []
    return "\n\n".join("\n".join(block) for block in blocks)


def _headline(feeds: Sequence[Sighting], public: Sequence[Sighting]) -> str:
    if not feeds:
        return _quietly(public) if public else "No package index is configured here: clients use their own."
    counts = [
        (sum(each.standing in KNOWN for each in feeds), "known to the broker"),
        (sum(each.standing is Standing.TO_ADD for each in feeds), "to add"),
        (sum(each.standing is Standing.UNSURE for each in feeds), "unsure"),
        (sum(each.standing is Standing.UNUSABLE for each in feeds), "unusable"),
    ]
    found = f"{len(feeds)} feed{'' if len(feeds) == 1 else 's'} found"
    told = [f"{count} {what}" for count, what in counts if count]
    if counts[0][0] == len(feeds):
        return f"{found}, {'all ' if len(feeds) > 1 else ''}known to the broker"
    return f"{found}: {', '.join(told)}" if len(told) > 1 else f"{found}, {told[0].partition(' ')[2]}"


def _lines(sighting: Sighting, shown: Shown) -> Iterator[str]:
    yield f" {MARKS[sighting.standing]} {sighting.shown}"
    places = dict.fromkeys(_place(index, shown) for index in sighting.indexes)
    yield _indented(_standing(sighting))
    yield _indented(", ".join(places))
    for index in dict.fromkeys(each.place for each in sighting.with_password):
        yield _indented(f"! {shown(index)} holds a password, which is used before any keyring: take it out")
    if sighting.command is not None:
        condition = "" if sighting.standing is Standing.TO_ADD else "if it is private: "
        yield _indented(f"{condition}{sighting.command}")


def _standing(sighting: Sighting) -> str:
    provider, feed = sighting.provider, sighting.feed
    match sighting.standing:
        case Standing.CONFIGURED if feed is not None:
            where = f" ({feed.place})" if feed.place is not None else ", as a running broker says"
            return f"{provider}, configured as {feed.name}{where}"
        case Standing.AUTOMATIC:
            return f"{provider}, needs no configuration"
    return sighting.why or ""


def _place(index: Index, shown: Shown) -> str:
    named = f" ({index.name})" if index.name and index.name.isprintable() else ""
    return f"{index.client}: {shown(index.place)}{named}"


def _quietly(public: Sequence[Sighting]) -> str:
    hosts = list(dict.fromkeys(each.url.origin.host for each in public if each.url is not None))
    more = ", ..." if len(hosts) > PUBLIC_SHOWN else ""
    what = "1 public index" if len(public) == 1 else f"{len(public)} public indexes"
    return f"{what}, nothing to do: {', '.join(hosts[:PUBLIC_SHOWN])}{more}"


def _indented(text: str) -> str:
    return f"{'':{INDENT}}{text}"
