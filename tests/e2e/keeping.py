"""A plug-in of pytest that keeps what tests leave, and makes their daemons say all that they can: all their
folders stay, below $KEPT_TRACES, with what each daemon told on its socket at its end and what the processes
showed at the end of each test. `$TALKATIVE` is the daemons' MODE. Next: `talkative.py`, `test_everything.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e import brokerd, household
from tests.e2e.traces import Search, spellings_inside
from tests.fakes.tokens import MARKER

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT = Path(os.environ["KEPT_TRACES"])
PROGRAM = (sys.executable, "-P", Path(__file__).with_name("talkative.py"), os.environ["TALKATIVE"])
ROUTES = ("/v1/status", "/v1/logs", "/metrics", "/openapi.json", "/v1/health")


def _made(name: str) -> Path:
    folder = KEPT / name
    folder.mkdir(exist_ok=True)
    return folder


class KeptDirectory:
    """Stands in for tempfile.TemporaryDirectory and is never removed."""

    def __init__(self, suffix: str = "", prefix: str = "tmp", **_: object) -> None:
        self.name = tempfile.mkdtemp(suffix, prefix, KEPT)

    def __enter__(self) -> str:
        return self.name

    def __exit__(self, *_: object) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        """Keep it."""


class TalkativeBrokerd(brokerd.Brokerd):
    """Says all that it can, and tells at its end what it would tell its user."""

    def __init__(
        self, *options: str, program: Sequence[str | Path] | None = PROGRAM, **places: object
    ) -> None:
        chosen = PROGRAM if program in (None, (brokerd.PROGRAM,)) else program
        super().__init__(*options, program=chosen, **places)  # type: ignore[arg-type] # passed on

    def end(self) -> int:
        """The same, after a look at each route."""
        folder = Path(tempfile.mkdtemp(dir=_made("told")))
        for route in ROUTES if self.wire.serves() else ():
            (folder / route.replace("/", "-")).write_bytes(self.wire.get(route).body)
        return super().end()


def pytest_configure() -> None:
    """Change what the tests are going to use."""
    vars(tempfile).update(TemporaryDirectory=KeptDirectory)
    vars(household).update(Brokerd=TalkativeBrokerd)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Keep what processes show before a test's daemon ends."""
    places = Search([MARKER], spellings_inside).processes()
    folder = _made("running")
    for number, place in enumerate(places):
        shutil.copyfile(place, folder / f"{item.name.replace('/', '-')[:80]}-{os.getpid()}-{number}")
