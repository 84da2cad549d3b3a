"""Look-ups of this source tree in those of another one, such as the commit before: `--against TREE`."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from bench import programs
from bench.servers import URL, basic_feeds, brokerd
from bench.serving import Load
from bench.sheet import Aim, Ratio, Sheet, ratio
from bench.whole_process import Command, once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.servers import Server

BEFORE, CONTROL, NOW = "that tree", "that tree, another daemon", "this tree"
STARTS = 6
"""Each daemon is started anew so often: two processes of one program differ by some hundredths all their
life (measured), by where their memory happens to lie.
"""

ROUNDS = 12
REQUESTS, COMMANDS = 1_000, 10
"""In each round, of each tree."""

NOTE = """Each round measures all three in another order, and each ratio is of one round. The second row is
the same program as the first: by so much do two daemons of one tree differ."""


@dataclass(frozen=True)
class Round:
    """What one look-up took in one round: its time at the daemon, the processor time that the daemon's main
    thread used for it, and a whole shim's time from spawn to exit; each in seconds.
    """

    daemon_s: float
    cpu_s: float
    shim_s: float


Rounds = dict[str, list[Round]]


def sheet(tree: str, *, short: bool) -> Sheet:
    """Measure. `tree` is a folder with a source tree of this project, or a revision of git's here."""
    measured: Rounds = {name: [] for name in (BEFORE, CONTROL, NOW)}
    order = Random(1)  # noqa: S311 - the same orders in every run
    with tempfile.TemporaryDirectory(prefix="b-") as name:
        folder = Path(name)
        before = source_tree(tree, folder / "tree")
        load, compiler = Load(folder), list(programs.compilers())[-1]
        sources = {BEFORE: before, CONTROL: before, NOW: programs.TREE}
        shims = {source: _shim(compiler, source, folder) for source in (before, programs.TREE)}
        for start in range(2 if short else STARTS):
            with ExitStack() as undo:
                servers = {
                    each: undo.enter_context(brokerd(folder / f"{start}-{number}", basic_feeds(1, 1), source))
                    for number, (each, source) in enumerate(sources.items())
                }
                for server in servers.values():
                    load(server, 1, REQUESTS)  # the first ones start what a daemon does once
                for _ in range(3 if short else ROUNDS):
                    for each in order.sample(list(servers), len(servers)):
                        measured[each].append(_round(load, servers[each], shims[sources[each]]))
    return report(tree, measured)


def _shim(compiler: str, source: Path, folder: Path) -> Path:
    made = Path(tempfile.mkdtemp(dir=folder))
    return programs.shim(compiler, made, source)


def source_tree(tree: str, folder: Path) -> Path:
    """The folder of a source tree; a revision of git's is unpacked into `folder`.

    Raises ValueError for what is neither.
    """
    if (Path(tree) / "broker").is_dir():
        return Path(tree).resolve()
    packed = subprocess.run(
        ["git", "-C", programs.TREE, "archive", "--", tree, "broker", "client", "pyproject.toml"],
        capture_output=True,
        check=False,
    )
    if packed.returncode:
        message = f"{tree} is neither a folder with a source tree nor a revision of this one"
        raise ValueError(message)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _round(load: Load, server: Server, shim: Path) -> Round:
    used_s = server.cpu_s()
    median_us = load(server, 1, REQUESTS)[1]
    cpu_s = (server.cpu_s() - used_s) / REQUESTS
    command = Command(str(shim), [str(shim), "get", URL, "ci"], server.environment)
    shim_s = ratio([once(command) for _ in range(COMMANDS)], 1.0).middle
    return Round(median_us / 1e6, cpu_s, shim_s)


def report(tree: str, measured: Rounds) -> Sheet:
    """The table: per round, in what `that tree` took in it."""
    columns = {
        "at the daemon": [each.daemon_s for each in measured[BEFORE]],
        "the daemon's processor time": [each.cpu_s for each in measured[BEFORE]],
        "by a shim, from spawn to exit": [each.shim_s for each in measured[BEFORE]],
    }
    units = list(columns.values())
    found = {name: _ratios(rounds, units) for name, rounds in measured.items()}
    return Sheet(
        f"Look-ups of this tree, in those of {tree}",
        ("", *columns, "rounds"),
        [(name, *map(str, ratios), str(len(units[0]))) for name, ratios in found.items()],
        [
            Aim(f"{what}: {NOW} : {BEFORE}", now.middle, max(1.0, control.high))
            for what, now, control in zip(columns, found[NOW], found[CONTROL], strict=True)
        ],
        [NOTE],
    )


def _ratios(rounds: Sequence[Round], units: Sequence[Sequence[float]]) -> list[Ratio]:
    taken = (
        [each.daemon_s for each in rounds],
        [each.cpu_s for each in rounds],
        [each.shim_s for each in rounds],
    )
    return [
        ratio([mine / its for mine, its in zip(column, unit, strict=True)], 1.0)
        for column, unit in zip(taken, units, strict=True)
    ]
