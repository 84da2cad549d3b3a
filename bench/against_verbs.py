"""brokerctl's verbs and brokerd's start, of this source tree and of another: `--against TREE verbs`."""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import programs
from bench.against import BEFORE, NOW, source_tree
from bench.servers import basic_feeds, brokerd
from bench.sheet import Aim, Sheet, ratio
from bench.verbs import AIMS, ASKS, UNIT, compiled, environment_of
from bench.whole_process import Command, Times, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.servers import Server

START = "brokerd, from exec to its first answer"


def sheet(tree: str, *, short: bool) -> Sheet:
    """Measure. `tree` is a folder with a source tree of this project, or a revision of git's here."""
    rounds, config = 5 if short else 60, basic_feeds(1, 1)
    unit = Command(UNIT, [sys.executable, "-c", "pass"], dict(os.environ))
    starts_s: dict[str, list[float]] = {BEFORE: [], NOW: []}
    with tempfile.TemporaryDirectory(prefix="b-") as name:
        folder = Path(name)
        sources = {BEFORE: source_tree(tree, folder / "tree"), NOW: programs.TREE}
        with ExitStack() as undo:
            commands = [unit]
            for number, (each, source) in enumerate(sources.items()):
                compiled(source / "broker", source / "client" / "token_broker_client.py")
                server = undo.enter_context(brokerd(folder / f"home-{number}", config, source))
                commands += _commands(each, source, server, folder / f"bin-{number}")
            times = measure(commands, rounds)
        for number in range(rounds):
            for each, source in sources.items():
                with brokerd(folder / f"start-{each.split()[0]}-{number}", config, source) as started:
                    starts_s[each].append(started.started_s)
    return report(tree, times, starts_s)


def _commands(each: str, source: Path, server: Server, folder: Path) -> list[Command]:
    """The verbs of one tree, as programs of its own that ask its broker."""
    folder.mkdir()
    scripts = tomllib.loads((source / "pyproject.toml").read_text())["project"]["scripts"]
    for program, place in scripts.items():
        module, _, function = place.partition(":")
        text = f"#!{sys.executable} -P\nfrom {module} import {function}\nraise SystemExit({function}())\n"
        (folder / program).write_text(text)
        (folder / program).chmod(0o700)
    brokerctl, environment = str(folder / "brokerctl"), environment_of(server)
    return [Command(f"{each}: {line}", [brokerctl, *line.split()], environment) for line in (*AIMS, ASKS)]


def report(tree: str, times: Sequence[Times], starts_s: Mapping[str, list[float]]) -> Sheet:
    """The table: both trees in starts of a bare Python, and one in the other's."""
    unit_s = times[0].median_s
    taken_s = {each.command.name: each.seconds for each in times[1:]}
    taken_s |= {f"{each}: {START}": seconds for each, seconds in starts_s.items()}
    made = Sheet(
        f"brokerctl and brokerd's start of this tree beside those of {tree}, in those of `{UNIT}`",
        ("", BEFORE, NOW, "rounds"),
    )
    for line in (*AIMS, ASKS, START):
        before_s, now_s = taken_s[f"{BEFORE}: {line}"], taken_s[f"{NOW}: {line}"]
        of_before = ratio(now_s, ratio(before_s, 1.0).middle)
        made.rows.append((line, str(ratio(before_s, unit_s)), str(ratio(now_s, unit_s)), str(len(now_s))))
        made.aims.append(Aim(f"{line}: {NOW} : {BEFORE}", of_before.middle, 1.0))
    return made
