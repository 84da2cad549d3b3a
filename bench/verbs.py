"""brokerctl's verbs from spawn to exit, in starts of a bare Python."""

from __future__ import annotations

import compileall
import importlib
import os
import sys
import tempfile
from pathlib import Path

from bench.servers import URL, basic_feeds, brokerd
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


def sheet(*, short: bool) -> Sheet:
    """Measure, with the modules compiled as installers leave them."""
    for name in ("broker", "token_broker_client"):
        file = Path(str(importlib.import_module(name).__file__))
        if file.name == "__init__.py":
            compileall.compile_dir(file.parent, quiet=1)
        else:
            compileall.compile_file(file, quiet=1)
    with (
        tempfile.TemporaryDirectory(prefix="b-") as folder,
        brokerd(Path(folder, "home"), basic_feeds(1, 1)) as broker,
    ):
        environment = {**broker.environment, "LANG": os.environ.get("LANG", "C.UTF-8")}
        brokerctl = str(Path(sys.executable).parent / "brokerctl")
        unit = Command(UNIT, [sys.executable, "-c", "pass"], environment)
        verbs = [Command(line, [brokerctl, *line.split()], environment) for line in AIMS]
        times = measure([unit, *verbs], 5 if short else 100)
    took = {each.command.name: each.median_s / times[0].median_s for each in times}
    return Sheet(
        f"brokerctl, from spawn to exit, in those of `{UNIT}`",
        ("command", "ratio (quartiles)", "runs"),
        [(each.command.name, str(each.against(times[0])), str(len(each.seconds))) for each in times],
        [Aim(f"{line} : {UNIT}", took[line], most) for line, most in AIMS.items()],
    )
