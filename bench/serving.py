"""The daemon's side of a look-up, against a bare FastAPI application: speed under load, and memory."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.programs import built
from bench.servers import HERE, URL, Server, bare, basic_feeds, brokerd, constant, request
from bench.sheet import Aim, Sheet, ratio
from tests.e2e.household import AZURE_FEED, feed, household

ROUNDS = 10
CALLERS = (1, 64)
BARE, OURS, FLOOR = "bare FastAPI application", "brokerd", "server in C"


class Load:
    """The callers of `load.c`."""

    def __init__(self, folder: Path) -> None:
        self._program = built("cc", HERE / "load.c", folder / "load")

    def __call__(self, server: Server, callers: int, requests: int, words: bytes = b"") -> list[float]:
        """Microseconds per request over all, and the 50th, 99th and 100th percentile of one."""
        command = [str(self._program), str(server.socket), str(callers), str(requests)]
        done = subprocess.run(command, input=words or request(URL), capture_output=True, check=True)
        return [float(word) for word in done.stdout.split()]


def route(*, short: bool) -> Sheet:
    """Look-ups by one caller and by 64, in those of the bare application."""
    requests = 2_000 if short else 100_000
    made = Sheet(
        f"A look-up at the daemon, in those of a {BARE}",
        ("server, callers at once", "time per look-up", "median", "99th percentile", "longest"),
        notes=[f"{requests:,} look-ups of each in {ROUNDS} rounds; the application answers a constant."],
    )
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="b-")))
        load = Load(folder)
        servers = {
            BARE: undo.enter_context(bare(folder)),
            OURS: undo.enter_context(brokerd(folder / "home", basic_feeds(1, 1))),
            FLOOR: undo.enter_context(constant(folder)),
        }
        for callers in CALLERS:
            rounds = [
                {name: load(server, callers, requests // ROUNDS) for name, server in servers.items()}
                for _ in range(ROUNDS)
            ]
            units = [
                statistics.median(column) for column in zip(*(each[BARE] for each in rounds), strict=True)
            ]
            for name in servers:
                columns = zip(*(each[name] for each in rounds), strict=True)
                ratios = [ratio(column, unit) for column, unit in zip(columns, units, strict=True)]
                made.rows.append((f"{name}, {callers}", *map(str, ratios)))
                if name == OURS:
                    made.aims.append(Aim(f"{OURS} : {BARE}, {callers} at once", ratios[0].middle, 1.0))
    return made


def memory(*, short: bool) -> Sheet:
    """How memory grows with look-ups, and what a daemon takes against the bare application."""
    first, last = (1_000, 10_000) if short else (100_000, 1_000_000)
    made = Sheet("Resident memory")
    with tempfile.TemporaryDirectory(prefix="b-") as name, bare(Path(name)) as plain, household() as house:
        load = Load(Path(name))
        with brokerd(Path(name) / "home", basic_feeds(1, 1)) as broker:
            load(broker, 64, first)
            before = broker.resident_bytes()
            load(broker, 64, last - first)
            grown = broker.resident_bytes() / before
        house.configure(feed("corp", AZURE_FEED))
        with house.brokerd() as signed_in:
            azure = Server(house.socket, signed_in.pid, 0.0, {})
            for server, url in ((plain, URL), (azure, AZURE_FEED)):
                load(server, 1, 100, request(url, "VssSessionToken"))
            made.aims = [
                Aim(f"after {last:,} look-ups : after {first:,}", grown, 1.02),
                Aim(f"{OURS}, one Azure feed by its CLI : {BARE}", _share(azure, plain), 1.3),
            ]
    return made


def _share(one: Server, other: Server) -> float:
    return one.resident_bytes() / other.resident_bytes()
