"""What each verb loads: whoever adds to it sees it here."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

from broker.ctl.app import app_with
from broker.ctl.verbs import VERBS
from tests.ctl.found_feeds import broker as seen
from tests.ctl.found_feeds import feed
from tests.ctl.stand_in import StandInBroker

HEAVY = {
    *("asyncio", "azure", "cryptography", "fastapi", "h11", "http.client", "httpx", "importlib.metadata"),
    *("keyring", "pydantic", "rich", "ssl", "tomllib", "typer", "typing", "uvicorn"),
}
"""What takes half a bare start of Python or more."""

TYPED = {"importlib.metadata", "pydantic", "typer", "typing"}
"""What reads a command line that is not read plainly, and what it brings."""

MAY = {
    "--help": set(),
    "exec --help": set(),
    "--version": set(),
    "status --short": set(),
    "status --json": {"typing"},
    "status": {"rich", "typing"},
    "get https://a.example/simple/": {"typing"},  # a refusal is worded with the address
    "refresh nothing": TYPED,
    "exec true": {"tomllib", "typing"},
    "exec --gateway true": {"typing"},
}
"""By command line."""

NEVER = {
    "status": ("broker.ctl.doctor", "broker.ctl.exec", "broker.ctl.add", "broker.ctl.setup.undo", "typer"),
    "refresh nothing": ("broker.ctl.doctor", "broker.ctl.setup.verb", "broker.ctl.exec"),
    "exec true": ("broker.ctl.clients.pip", "broker.ctl.clients.requirements_file", "optparse"),
    "exec --gateway true": (
        *("broker.ctl.clients", "broker.ctl.setup", "broker.core.refresh"),
        *("broker.ctl.matching", "broker.providers.recognise.services"),
    ),
}
"""Modules of other verbs, and of what other commands need."""

PROGRAM = """
import atexit, sys
atexit.register(lambda: sys.stderr.write("\\nLOADED " + " ".join(sys.modules)))
sys.argv = ["brokerctl", *sys.argv[1:]]
from broker.ctl.entry import main
main()
"""


@cache
def loaded_by(line: str) -> set[str]:
    """The modules; each line is asked of one process, while a broker answers."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line.split()],
        text=True,
        env=environment,
        capture_output=True,
        check=False,
    )
    return set(ran.stderr.rpartition("LOADED ")[2].split())


@pytest.fixture(scope="module")
def before() -> set[str]:
    """What a bare Python of this environment has loaded."""
    return set(
        subprocess.check_output([sys.executable, "-c", "import sys; print(*sys.modules)"], text=True).split()
    )


@pytest.mark.parametrize("line", MAY)
def test_verb_loads_nothing_heavy_but_what_it_may(line: str, before: set[str], broker: StandInBroker) -> None:
    broker.answers["GET /v1/status"] = 200, seen(feed("corp"))

    loaded = loaded_by(line)

    assert "broker.ctl.entry" in loaded
    assert (loaded & HEAVY) - before - MAY[line] == set()


@pytest.mark.parametrize(("line", "others"), NEVER.items())
def test_verb_loads_nothing_that_only_others_need(
    line: str, others: tuple[str, ...], broker: StandInBroker
) -> None:
    broker.answers["GET /v1/status"] = 200, seen(feed("corp"))

    assert [name for name in loaded_by(line) if name.startswith(others)] == []


def test_every_verb_is_declared_where_the_table_says() -> None:
    assert [each.name for each in app_with(VERBS).registered_commands] == [*VERBS]
