"""The tests that SECURITY.md names are those that `pytest -m trust` runs: nobody marks them by hand."""

from __future__ import annotations

import compileall
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.scheduling import ForgetfulScheduling

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/.]+?)/?(?:::(\w+))?`")


settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")  # how long an example takes says nothing of the code


def named_in(text: str) -> set[tuple[str, str | None]]:
    """Folders, files and single tests that a page names."""
    return {(path, test or None) for path, test in NAMED.findall(text)}


def is_named(item: pytest.Item, named: set[tuple[str, str | None]]) -> bool:
    """Whether the page names this test, its file or a folder above it."""
    path = item.path.relative_to(ROOT)
    function = getattr(item, "originalname", item.name)
    return (str(path), function) in named or any((str(each), None) in named for each in (path, *path.parents))


def pytest_configure(config: pytest.Config) -> None:
    """Hear Ctrl-C even where a shell, which started us in the background, had us and ours ignore it.

    And compile the programs once, as installed ones are: hundreds of their processes are started, where
    PYTHONDONTWRITEBYTECODE may be set. The tests as pytest rewrites them are kept, too: that is two thirds of
    the time in which each worker collects them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = False
    if not hasattr(config, "workerinput"):
        for sources in ("broker", "client"):
            compileall.compile_dir(ROOT / sources, quiet=1)


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what SECURITY.md names."""
    named = named_in((ROOT / "SECURITY.md").read_text())
    for item in items:
        if item.path.is_relative_to(ROOT) and is_named(item, named):
            item.add_marker(pytest.mark.trust)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: the group of the machine with systemd mostly waits."""
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return processors + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ForgetfulScheduling | None:  # noqa: ANN401 - xdist has no types
    """Deal the tests out by groups."""
    return ForgetfulScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for sockets, and which other users may look into."""
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        place = Path(folder).resolve()
        place.chmod(0o755)
        yield place
