"""From exec to the first answer, against what Python takes to load FastAPI and uvicorn."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench.servers import basic_feeds, brokerd
from bench.sheet import Aim, Sheet, ratio
from bench.whole_process import Command, once

IMPORTS = "import fastapi, uvicorn"


def sheet(*, short: bool) -> Sheet:
    """Measure both in turn."""
    unit = Command(f"python -c '{IMPORTS}'", [sys.executable, "-c", IMPORTS], dict(os.environ))
    imports_s: list[float] = []
    starts_s: list[float] = []
    for _ in range(1 + (3 if short else 40)):
        imports_s.append(once(unit))
        with (
            tempfile.TemporaryDirectory(prefix="b-") as folder,
            brokerd(Path(folder, "home"), basic_feeds(1, 1)) as broker,
        ):
            starts_s.append(broker.started_s)
    del imports_s[0], starts_s[0]  # the first filled the caches
    started = ratio(starts_s, ratio(imports_s, 1).middle)
    return Sheet(
        f"Start, in those of `{unit.name}`",
        ("", "ratio (quartiles)", "runs"),
        [("brokerd, from exec to its first answer", str(started), str(len(starts_s)))],
        [Aim("brokerd : loading FastAPI and uvicorn", started.middle, 0.5)],
    )
