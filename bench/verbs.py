"""brokerctl's verbs from spawn to exit, in starts of a bare Python."""

from __future__ import annotations

import compileall
import importlib
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench.servers import SECRET, URL, basic_feeds, brokerd
from bench.sheet import Aim, Sheet
from bench.whole_process import Command, measure

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
    """Measure, with the modules compiled as installers leave them."""
    for name in ("broker", "token_broker_client"):
        file = Path(str(importlib.import_module(name).__file__))
        if file.name == "__init__.py":
            compileall.compile_dir(file.parent, quiet=1)
        else:
            compileall.compile_file(file, quiet=1)
    config, rounds = basic_feeds(1, 1), 5 if short else 100
    with (
        tempfile.TemporaryDirectory(prefix="b-") as folder,
        brokerd(Path(folder, "home"), config) as broker,
    ):
        kept = Path(
            folder, "home", ".config", "token-broker", "config.toml"
        )  # what `exec` starts a broker with
        kept.parent.mkdir(parents=True)
        kept.write_text(config)
        environment = {
            **broker.environment,
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "BENCH_SECRET": SECRET,
        }
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
