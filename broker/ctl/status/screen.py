"""The status screen: from the status record to what rich prints. Pure: no clock, no terminal, no I/O.

The text says everything, colours only repeat it. The first line answers "is everything all right?", the last
one says what to type if it is not.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from rich.cells import cell_len
from rich.console import Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from broker.core.failures import READ_AGAIN
from broker.core.feeds import NO_FEED
from broker.core.refresh import State
from broker.core.status import BrokerStatus, FeedStatus, addresses_to_add
from broker.core.verdict import Verdict
from broker.ctl.api_client import is_system_socket
from broker.ctl.hints import other_than
from broker.ctl.status.share_lines import share_line
from broker.ctl.ui.humanize import ago, clock_time, duration
from broker.ctl.ui.layout import below, beside, broken

ACCEPTED, REJECTED = Verdict.ACCEPTED.word, Verdict.UNAUTHORISED.word
BAR_CELLS = 12
GAP_CELLS = 2
MARGIN_CELLS = 1
NO_SOURCE = "-"
TIMES = "\N{MULTIPLICATION SIGN}"

COLOURS: dict[str, str] = {
    State.FRESH: "green",
    State.DUE: "yellow",
    State.FAILING: "yellow",
    State.EXPIRED: "red",
    State.REFUSED: "red",
    State.SIGN_IN_NEEDED: "red",
}
"""EMPTY has none: no token was requested yet."""

NO_LIFE: dict[str, str] = {
    State.EMPTY: "not fetched yet",
    State.EXPIRED: "expired",
    State.FAILING: "cannot be fetched",
    State.REFUSED: "refused",
    State.SIGN_IN_NEEDED: "sign-in needed",
}
"""Shown in place of the life left where there is none."""

RENEWALS: dict[str, str] = {
    State.DUE: "being replaced",
    State.FAILING: "renewal fails",
    State.REFUSED: "renewal refused",
    State.SIGN_IN_NEEDED: "sign-in needed",
}
"""Shown beside the life left of a token that is being renewed or whose renewal fails."""

COUNT = ""
SIGNED_IN_BY = "signed in by"
DISPENSABLE = ({SIGNED_IN_BY}, {"provider"}, {"used", COUNT})
"""What a narrow terminal loses, first to last: never the feed, nor the state of its token."""

PATH_CELLS_MAX = 20
"""Of a file's path only its end is shown where it is longer."""

TOOLS = {"azure-cli": "az"}
"""Sources that users know by another name."""

PROSE_CELLS = 76

EMPTY_STATE = """\
Nothing is configured and nothing was asked yet. Feeds on Azure, Google and
CodeArtifact need no configuration: put a user name into the feed's URL
(https://USER@...). The keyring must be on: brokerctl setup sees to it, or

  uv    export UV_KEYRING_PROVIDER=subprocess
  pip   pip config set global.keyring-provider subprocess

Other feeds:  brokerctl discover, or brokerctl add URL"""


def status_screen(
    status: BrokerStatus,
    *,
    now: datetime,
    width: int | None,
    tool_version: str | None = None,
    system: BrokerStatus | None = None,
    shim_hidden: tuple[str, str] | None = None,
    is_live: bool = False,
) -> RenderableType:
    """The whole screen for a terminal of `width` cells, or for a pipe (None: as wide as it needs).

    `now` is in the zone that times of day are shown in. `tool_version` is brokerctl's own, None where
    unknown: a daemon of another version is pointed out. `system` is the system broker beside this one.
    `shim_hidden`: why no look-up from this shell would reach the broker, and what to type. `is_live`: it is
    redrawn in place, where rich cuts off what is longer than a line.
    """
    verbatim = partial(_verbatim, is_live=is_live)
    parts: list[RenderableType] = [_headline(status)]
    if status.feeds:
        parts += [Text(), _table(status.feeds, now, width)]
    elif status.error is None and system is None:
        prose, gap, lines = EMPTY_STATE.partition("\n\n")
        prose = "\n".join(broken(prose, min(width or PROSE_CELLS, PROSE_CELLS)))
        parts += [Text(), verbatim(f"{prose}{gap}{lines}")]
    if status.shares:
        parts += [Text(), *(verbatim(share_line(share, now, width)) for share in status.shares)]
    errors = _errors(status)
    if errors:
        parts.append(Text())
    for names, error, hint in errors:
        said = verbatim(below(f"{names}: {error}", other_than(hint, "status"), len(names) + 2, width))
        said.stylize("bold", 0, len(names))
        parts.append(said)
    if tool_version is not None and tool_version != status.version:
        other = f"the daemon is {status.version}, this brokerctl is {tool_version}"
        parts += [Text(), verbatim(beside(other, "brokerctl restart", width))]
    if system is not None:
        own = {url for feed in status.feeds for url in feed.urls}
        names = ", ".join(feed.name for feed in system.feeds if own.isdisjoint(feed.urls))
        parts += [Text(), Text(f"the system broker has {names or 'no other feed'} for you")]
    if shim_hidden is not None:
        parts += [Text(), verbatim(beside(*shim_hidden, width))]
    return Group(*parts)


def _headline(status: BrokerStatus) -> Text:
    usable, total = sum(feed.usable for feed in status.feeds), len(status.feeds)
    if status.error is not None:
        state = "the configuration on disk is not in force" if total else "the configuration cannot be used"
        colour = "red"
    elif not total:
        state, colour = "no feeds", ""
    else:
        state = f"{usable} of {total} {'feed' if total == 1 else 'feeds'} usable"
        colour = "green" if usable == total else "yellow"
    whose = " of this machine" if is_system_socket(status.socket) else ""
    return Text.assemble(
        (f"token-broker{whose}", "bold"),
        f" {status.version} · running {duration(status.uptime_s)} · ",
        (state, colour),
    )


def _errors(status: BrokerStatus) -> list[tuple[str, str, str | None]]:
    """(feeds, what failed, what to type), once for all the feeds with the same hint."""
    said: dict[tuple[str, str | None], list[str]] = {}
    if status.error is not None:
        said[status.error, status.hint or READ_AGAIN] = ["configuration"]
    for feed in status.feeds:
        if feed.error is not None:
            said.setdefault((feed.error, feed.hint), []).append(feed.name)
        elif feed.warning is not None:
            said.setdefault((feed.warning, None), []).append(feed.name)
    for url, lookup in addresses_to_add(status).items():
        said.setdefault((lookup.error or NO_FEED, lookup.hint), []).append(url)
    return [(", ".join(names), error, hint) for (error, hint), names in said.items()]


def _table(feeds: Sequence[FeedStatus], now: datetime, width: int | None) -> RenderableType:
    candidates = list(_candidates(feeds, now))
    fitting = [each for each in candidates if width is None or _natural_width(each) <= width]
    columns = (fitting or candidates[-1:])[0]
    table = Table(box=None, pad_edge=False, padding=(0, GAP_CELLS, 0, 0), header_style="dim")
    for name in columns:
        justify: JustifyMethod = "left" if name else "right"
        table.add_column(name, no_wrap=bool(fitting), overflow="fold", justify=justify)
    colours = [COLOURS.get(feed.state, "") for feed in feeds]
    for colour, *cells in zip(colours, *columns.values(), strict=True):
        named = zip(columns, cells, strict=True)
        table.add_row(*(Text(cell, style=colour if name == "token" else "") for name, cell in named))
    return Padding(table, (0, 0, 0, MARGIN_CELLS), expand=False)


def _candidates(feeds: Sequence[FeedStatus], now: datetime) -> Iterator[dict[str, list[str]]]:
    """The columns for ever narrower terminals: accounts go before bars, and bars before sources."""
    columns = _columns(feeds, now)
    without_accounts = [_source(feed) for feed in feeds]
    without_bars = [_token(feed, now) for feed in feeds]
    yield columns
    yield {**columns, SIGNED_IN_BY: without_accounts}
    yield {**columns, "token": without_bars}
    columns = {**columns, SIGNED_IN_BY: without_accounts, "token": without_bars}
    yield columns
    for dispensable in DISPENSABLE:
        columns = {name: cells for name, cells in columns.items() if name not in dispensable}
        yield columns


def _columns(feeds: Sequence[FeedStatus], now: datetime) -> dict[str, list[str]]:
    """The cells of a screen that is wide enough, by column."""
    return {
        "feed": [feed.name for feed in feeds],
        "provider": [_provider(feed) for feed in feeds],
        SIGNED_IN_BY: [_signed_in_by(feed) for feed in feeds],
        "token": [
            f"{_bar(feed)}  {_token(feed, now)}" if feed.usable else _token(feed, now) for feed in feeds
        ],
        "used": [_used(feed, now) for feed in feeds],
        COUNT: [f"{feed.lookups}{TIMES}" if feed.lookups else "" for feed in feeds],
    }


def _natural_width(columns: dict[str, list[str]]) -> int:
    cells = [max(cell_len(name), *(cell_len(cell) for cell in column)) for name, column in columns.items()]
    return sum(cells) + GAP_CELLS * (len(cells) - 1) + MARGIN_CELLS


def _used(feed: FeedStatus, now: datetime) -> str:
    return "never" if feed.last_used_at is None else ago((now - feed.last_used_at).total_seconds())


def _provider(feed: FeedStatus) -> str:
    """The provider, and the organisation or domain whose realm it is; hosts are too long to show."""
    authority = feed.realm.partition(":")[2].partition("/")[0]
    return feed.provider if not authority or set(".:") & set(authority) else f"{feed.provider} {authority}"


def _signed_in_by(feed: FeedStatus) -> str:
    alone = feed.account is None or feed.source is None or feed.shares is not None
    return _source(feed) if alone else f"{_source(feed)} ({feed.account})"


def _source(feed: FeedStatus) -> str:
    if feed.shares is not None:
        return f"shares {feed.shares}"
    if feed.source is None:
        return NO_SOURCE
    kind, colon, path = feed.source.partition(":")
    if path.startswith("/") and len(path) > PATH_CELLS_MAX:
        return f"{kind}{colon}\N{HORIZONTAL ELLIPSIS}/{path.rpartition('/')[2]}"
    return TOOLS.get(feed.source, feed.source)


def _bar(feed: FeedStatus) -> str:
    """How much of the token's life is left, full where it has no end."""
    if feed.left_s is None or feed.expires_at is None or feed.obtained_at is None:
        return "█" * BAR_CELLS
    life_s = (feed.expires_at - feed.obtained_at).total_seconds()
    share = min(1.0, max(0.0, feed.left_s / life_s)) if life_s > 0 else 0.0
    full = round(BAR_CELLS * share)
    return "█" * full + "░" * (BAR_CELLS - full)


def _token(feed: FeedStatus, now: datetime) -> str:
    """The life left, and what is wrong with its renewal; or why there is none, and since when."""
    if not feed.usable and feed.verdict == REJECTED and feed.state not in NO_LIFE:
        return "rejected by the feed"
    if not feed.usable:
        reason = NO_LIFE.get(feed.state, feed.state)
        return reason if feed.state == State.EMPTY else f"{reason} since {clock_time(feed.since, now)}"
    none = "end unknown" if feed.end_unknown else "no expiry"
    left = none if feed.left_s is None else f"{duration(feed.left_s)} left"
    if feed.verdict == ACCEPTED and feed.verified_at is not None and feed.state not in RENEWALS:
        return f"{left}, accepted {ago((now - feed.verified_at).total_seconds())}"
    return f"{left}, {RENEWALS[feed.state]}" if feed.state in RENEWALS else left


def _verbatim(text: str, *, is_live: bool) -> Text:
    """Text that is never wrapped, for commands are copied from it; where it would be cut off it is."""
    return Text(text, overflow="fold") if is_live else Text(text, no_wrap=True, overflow="ignore")
