"""How a daemon's cost grows with its feeds: look-ups, start, renewals, memory, idleness."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.servers import basic_feeds, brokerd, order, request, url_of
from bench.serving import Load
from bench.sheet import Aim, Sheet, ratio
from broker.api.fast_path import REMEMBERED

if TYPE_CHECKING:
    from bench.servers import Server

SIZES = ((1, 1), (100, 100), (10_000, 1_000))
"""How many feeds in how many realms."""

ROUNDS = 15
REQUESTS, ORDERS = 2_000, 200
"""Look-ups and renewals in each round."""

NOT_REMEMBERED = f"""The daemon reads and matches a request anew that is not among the last
{REMEMBERED} it was asked: with more feeds that are looked up in turn, each of them is one."""

SETTLED_SHARE = 0.02
"""A daemon that uses less of a core has fetched what it fetches at its start."""


@dataclass
class Fleet:
    """One daemon with many feeds, and what was measured of it."""

    feeds: int
    realms: int
    server: Server
    again_us: list[float] = field(default_factory=list)
    in_turn_us: list[float] = field(default_factory=list)
    renewal_s: list[float] = field(default_factory=list)
    load_us: list[float] = field(default_factory=list)
    idle: float = 0.0
    idle_bytes: int = 0

    def row(self, one: Fleet) -> tuple[str, ...]:
        """Its figures in those of the daemon with one feed."""
        columns = (
            (self.again_us, one.again_us),
            (self.in_turn_us, one.again_us),
            (self.renewal_s, one.renewal_s),
            (self.load_us, one.load_us),
        )
        ratios = (str(ratio(samples, ratio(units, 1).middle)) for samples, units in columns)
        per_feed = (self.idle_bytes - one.idle_bytes) / max(1, self.feeds - one.feeds) / 1000
        start = f"{self.server.started_s / one.server.started_s:.2f}"
        memory = f"{per_feed:.1f} kB" if self is not one else ""
        return (f"{self.feeds:,} in {self.realms:,}", *ratios, start, memory, f"{self.idle:.3%}")


def sheet(*, short: bool) -> Sheet:
    """Measure daemons of all sizes side by side; all of them idle for a minute together."""
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="b-")))
        fleets = []
        for feeds, realms in SIZES[:2] if short else SIZES:
            server = undo.enter_context(brokerd(folder / f"{feeds}", basic_feeds(feeds, realms)))
            _settle(server)
            fleets.append(Fleet(feeds, realms, server))
        _idle(fleets, 2.0 if short else 60.0)
        load = Load(folder)
        for _ in range(3 if short else ROUNDS):
            for fleet in fleets:
                _round(load, fleet)
    one, most = fleets[0], fleets[-1]
    again = ratio(most.again_us, ratio(one.again_us, 1).middle).middle
    return Sheet(
        "Growth with the number of feeds, in those of one feed",
        (
            "feeds in realms",
            "a feed's look-up",
            "each feed's in turn",
            "work per renewal",
            "load of configuration",
            "start",
            "memory per feed",
            "idle, of a core",
        ),
        [fleet.row(one) for fleet in fleets],
        [
            Aim(f"a look-up beside {most.feeds:,} feeds : beside none", again, 1.1),
            Aim(f"idle with {most.feeds:,} feeds, of a core", most.idle, 0.001),
        ],
        [NOT_REMEMBERED],
    )


def _settle(server: Server) -> None:
    while True:
        used_s = server.cpu_s()
        time.sleep(1.0)
        if server.cpu_s() - used_s < SETTLED_SHARE:
            return


def _idle(fleets: list[Fleet], seconds: float) -> None:
    used_s = [fleet.server.cpu_s() for fleet in fleets]
    time.sleep(seconds)
    for fleet, before_s in zip(fleets, used_s, strict=True):
        fleet.idle = (fleet.server.cpu_s() - before_s) / seconds
        fleet.idle_bytes = fleet.server.resident_bytes()


def _round(load: Load, fleet: Fleet) -> None:
    last = fleet.feeds - 1
    all_of_them = b"".join(request(url_of(number, fleet.realms)) for number in range(fleet.feeds))
    fleet.again_us.append(load(fleet.server, 1, REQUESTS, request(url_of(last, fleet.realms)))[1])
    fleet.in_turn_us.append(load(fleet.server, 1, REQUESTS, all_of_them)[1])
    used_s = fleet.server.cpu_s()
    load(fleet.server, 1, ORDERS, order(f"/v1/feeds/feed-{last}/refresh"))
    fleet.renewal_s.append(fleet.server.cpu_s() - used_s)
    fleet.load_us.append(load(fleet.server, 1, 1, order("/v1/reload"))[1])
