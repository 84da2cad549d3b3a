"""The tests that SECURITY.md names are those that `pytest -m trust` runs: nobody marks them by hand."""

from __future__ import annotations

import compileall
import contextlib
import gc
import importlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import Collection, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

from tests.scheduling import NeighbourScheduling

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/.]+?)/?(?:::(\w+))?`")


WHOLE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes on a busy machine says nothing of the code."""
settings.register_profile("whole", WHOLE)
settings.register_profile("few", WHOLE, max_examples=WHOLE.max_examples // 4)
settings.load_profile("few")  # the long `test_properties.py` runs all of them with the other one


def named_in(text: str) -> set[tuple[str, str | None]]:
    """Folders, files and single tests that a page names."""
    return {(path, test or None) for path, test in NAMED.findall(text)}


def tests_named(path: Path, named: set[tuple[str, str | None]]) -> Collection[str] | None:
    """The tests of this file that the page names; None where it names the file or a folder above it."""
    inside = path.relative_to(ROOT)
    if any((str(each), None) in named for each in (inside, *inside.parents)):
        return None
    return {test for file, test in named if file == str(inside) and test}


def pytest_configure(config: pytest.Config) -> None:
    """Hear Ctrl-C even where a shell, which started us in the background, had us and ours ignore it.

    And compile the programs once, as installed ones are: hundreds of their processes are started, where
    PYTHONDONTWRITEBYTECODE may be set. The tests and plugins as pytest rewrites them are kept, too: that is
    two thirds of the time in which each worker collects them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = False
    gc.disable()  # until the tests are collected
    os.fsync = os.fdatasync = lambda _: None  # type: ignore[assignment] # nothing here outlives a power failure
    if not hasattr(config, "workerinput"):
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the workers' plugins are imported before this file
        for sources in ("broker", "client"):
            compileall.compile_dir(ROOT / sources, quiet=1)
    elif config.args == config.getini("testpaths"):
        _load_own_part(config.workerinput)


def _load_own_part(worker: Mapping[str, Any]) -> None:
    """Load each so many-th test file first: in a new checkout each worker rewrites but its own part of them,
    and finds the others' on the disk.
    """
    number = int(worker["workerid"].removeprefix("gw"))
    for path in sorted(ROOT.glob("tests/**/test_*.py"))[number :: worker["workercount"]]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # told when it is collected
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what SECURITY.md names."""
    named = named_in((ROOT / "SECURITY.md").read_text())
    of_files = {
        path: tests_named(path, named) for path in {item.path for item in items} if path.is_relative_to(ROOT)
    }
    for item in items:
        tests = of_files.get(item.path, ())
        if tests is None or getattr(item, "originalname", item.name) in tests:
            item.add_marker(pytest.mark.trust)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what was collected, now or later: a search takes half a second."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """As pytest's own; but a worker, which sends each report as text, tells of no set-up and no end that
    passed, and not again what marks a passed test has. `--durations` wants to know them all.
    """
    if not hasattr(item.config, "workerinput") or item.config.option.durations:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.passed:
            report.keywords = {}
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: most tests wait for processes and connections.

    With one more, two processors were idle for a fifth of the time.
    """
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return processors + 2


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> NeighbourScheduling | None:  # noqa: ANN401 - xdist has no types
    """Deal the tests out by groups."""
    return NeighbourScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for sockets, and which other users may look into."""
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        place = Path(folder).resolve()
        place.chmod(0o755)
        yield place
