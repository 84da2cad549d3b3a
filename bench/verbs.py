"""brokerctl's verbs from spawn to exit, in starts of a bare Python."""

from __future__ import annotations

import compileall
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import token_broker_client

import broker
from bench.servers import SECRET, URL, basic_feeds, brokerd
from bench.sheet import Aim, Sheet
from bench.whole_process import Command, measure

if TYPE_CHECKING:
    from bench.servers import Server

UNIT = "python -c pass"
AIMS = {
    "status --short": 4.0,
    f"get {URL}": 6.0,
    "--version": 8.0,
    "--help": 8.0,
    "add --help": 8.0,
    "exec -- true": 8.0,
    "status": 12.0,
}
"""At most so many starts, by what is typed."""

WITHOUT_AIM = {"doctor": 1, "discover": 0}
"""As slow as what they look at, and what they end with here: nothing is set up."""

ASKS = f"exec -- keyring get {URL} ci"

NOTES = ["Completions are files of the shells' own (`brokerctl setup` writes them): Tab starts no brokerctl."]


def sheet(*, short: bool) -> Sheet:
    """Measure."""
    compiled(Path(broker.__path__[0]), Path(token_broker_client.__file__))
    config, rounds = basic_feeds(1, 1), 5 if short else 100
    with (
        tempfile.TemporaryDirectory(prefix="b-") as folder,
        brokerd(Path(folder, "home"), config) as server,
    ):
        environment = environment_of(server)
        brokerctl = str(Path(sys.executable).parent / "brokerctl")
        unit = Command(UNIT, [sys.executable, "-c", "pass"], environment)
        verbs = [Command(line, [brokerctl, *line.split()], environment) for line in (*AIMS, ASKS)]
        verbs += [
            Command(line, [brokerctl, line], environment, code=code, every=5)
            for line, code in WITHOUT_AIM.items()
        ]
        times = measure([unit, *verbs], rounds)
        starts_s: list[float] = []
        for number in range(rounds // 5):
            with brokerd(Path(folder, str(number)), config) as started:
                starts_s.append(started.started_s)
    took = {each.command.name: each.median_s for each in times}
    one_after_the_other_s = took["exec -- true"] + statistics.median(starts_s)
    return Sheet(
        f"brokerctl, from spawn to exit, in those of `{UNIT}`",
        ("command", "ratio (quartiles)", "runs"),
        [(each.command.name, str(each.against(times[0])), str(len(each.seconds))) for each in times],
        [
            *(Aim(f"{line} : {UNIT}", took[line] / took[UNIT], most) for line, most in AIMS.items()),
            Aim(
                f"{ASKS} : `exec -- true` and a start of brokerd",
                took[ASKS] / one_after_the_other_s,
                1,
            ),
        ],
        NOTES,
    )


def compiled(*sources: Path) -> None:
    """Have these modules compiled, as installers leave them."""
    for source in sources:
        (compileall.compile_dir if source.is_dir() else compileall.compile_file)(source, quiet=1)


def environment_of(server: Server) -> dict[str, str]:
    """Where brokerctl asks this broker, and `exec` starts one with the same configuration."""
    home = Path(server.environment["HOME"])
    kept = home / ".config" / "token-broker" / "config.toml"
    kept.parent.mkdir(parents=True)
    kept.write_text((home / "config.toml").read_text())
    return {**server.environment, "LANG": os.environ.get("LANG", "C.UTF-8"), "BENCH_SECRET": SECRET}
