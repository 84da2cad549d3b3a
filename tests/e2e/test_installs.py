"""The real uv and pip install from an Azure feed, with a username at most, through shim, socket and broker.

Twenty runs, each with a cache and a folder of its own; each happens once a session, when first asked for.
Seven are always run: both clients, both hosts, and each way to name a user.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.e2e.household import AZURE_FEED, OLD_AZURE_FEED, Household, feed, household
from tests.e2e.traces import Search
from tests.fakes.clients import PYTHON, Outcome
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from tests.e2e.wire import Wire

pytestmark = pytest.mark.e2e

USERNAME = "dev"
FEEDS = {"dev.azure.com": AZURE_FEED, "visualstudio.com": OLD_AZURE_FEED}
GUID_FILE = re.compile(r"https://.*/_packaging/[0-9a-f]{8}-[0-9a-f-]{27}/pypi/download/.*\.whl/")


@dataclass(frozen=True)
class Errand:
    """One run of a client: in whose house, into which folder, from which index."""

    house: Household
    folder: Path
    url: str
    old_python: Callable[[], Path]

    @property
    def url_with_username(self) -> str:
        """The index as a person writes it who gives the username there."""
        return self.url.replace("https://", f"https://{USERNAME}@")

    def uv(self, *arguments: str, **more: str) -> Outcome:
        """Run uv in the errand's folder, with a cache that nobody has filled."""
        return self.house.uv(
            *arguments, cwd=self.folder, environment={"UV_CACHE_DIR": str(self.folder / "cache"), **more}
        )


class Run(Protocol):
    """How an errand is run."""

    def __call__(self, errand: Errand) -> Outcome: ...


def uv_pip_install(errand: Errand, *, username: str) -> Outcome:
    command = ("pip", "install", "--target", str(errand.folder / "in"), "demo-package")
    if username == "url":
        return errand.uv(*command, "--index-url", errand.url_with_username)
    return errand.uv(*command, UV_DEFAULT_INDEX=f"corp={errand.url}", UV_INDEX_CORP_USERNAME=USERNAME)


def uv_sync(errand: Errand, *, username: str, frozen: bool = False) -> Outcome:
    url = errand.url_with_username if username == "url" else errand.url
    always = '\nauthenticate = "always"' if username == "always" else ""
    settings = f'[[tool.uv.index]]\nname = "corp"\nurl = "{url}"\ndefault = true{always}'
    named = {"UV_INDEX_CORP_USERNAME": USERNAME} if username == "variable" else {}
    errand.house.project(errand.folder, settings)
    if not frozen:
        return errand.uv("sync", **named)
    locked = errand.uv("lock", **named)
    assert locked.exit_code == 0, locked.text
    return errand.uv("sync", "--frozen", "--no-cache", **named)


def pip_install(errand: Errand, *, old: bool = False, username: bool = False) -> Outcome:
    return errand.house.pip(
        *("install", "--no-cache-dir", "--target", errand.folder / "in"),
        *("--index-url", errand.url_with_username if username else errand.url, "demo-package"),
        python=errand.old_python() if old else PYTHON,
    )


RUNS: dict[str, Run] = {
    "uv pip install, username in the URL": partial(uv_pip_install, username="url"),
    "uv pip install, username in a variable": partial(uv_pip_install, username="variable"),
    "uv sync, always": partial(uv_sync, username="always"),
    "uv sync, username in the URL": partial(uv_sync, username="url"),
    "uv sync, username in a variable": partial(uv_sync, username="variable"),
    "uv sync frozen, username in the URL": partial(uv_sync, username="url", frozen=True),
    "uv sync frozen, username in a variable": partial(uv_sync, username="variable", frozen=True),
    "pip install": pip_install,
    "pip install, username in the URL": partial(pip_install, username=True),
    "old pip install, username in the URL": partial(pip_install, old=True, username=True),
}
ALL = {f"{host}-{run}": (host, run) for host in FEEDS for run in RUNS}
ALWAYS = [
    "dev.azure.com-uv pip install, username in the URL",
    "visualstudio.com-uv pip install, username in a variable",
    "dev.azure.com-uv sync, always",
    "visualstudio.com-uv sync frozen, username in the URL",
    "dev.azure.com-uv sync frozen, username in a variable",
    "dev.azure.com-pip install",
    "visualstudio.com-pip install, username in the URL",
]
"""Seven, for pip takes ten times as long as uv."""


@dataclass(frozen=True)
class Ran:
    """How a run ended, what it left in its folder, and what the broker was asked meanwhile."""

    outcome: Outcome
    folder: Path
    lookups: list[dict[str, Any]]


class Runs:
    """The runs, in a house where a daemon serves; `ran` runs one unless it has been run already."""

    def __init__(self, house: Household, wire: Wire, old_python: Callable[[], Path]) -> None:
        self.house = house
        self._wire = wire
        self._old_python = old_python
        self._done: dict[tuple[str, str], Ran] = {}

    def ran(self, host: str, run: str) -> Ran:
        """What became of this run."""
        if (host, run) not in self._done:
            folder = self.house.home / f"{host} {run}".replace(" ", "-").replace(",", "")
            folder.mkdir()
            before = self._count()
            outcome = RUNS[run](Errand(self.house, folder, FEEDS[host], self._old_python))
            asked = self._count() - before
            recent = self._wire.status()["recent"]
            self._done[host, run] = Ran(outcome, folder, recent[len(recent) - asked :])
        return self._done[host, run]

    def all(self, names: Collection[str]) -> list[Ran]:
        """What became of all of these."""
        return [self.ran(*ALL[name]) for name in names]

    def _count(self) -> int:
        counts: dict[str, int] = self._wire.status()["lookups"]
        return sum(counts.values())


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    with household() as house:
        house.configure(f'log = "debug"\n{feed("corp", AZURE_FEED)}')
        with house.forked_brokerd() as broker:
            yield Runs(house, broker.wire, lambda: request.getfixturevalue("old_python"))


@pytest.mark.parametrize(("host", "run"), sampled(ALL, ALWAYS))
def test_client_installs_through_the_shim(runs: Runs, host: str, run: str) -> None:
    ran = runs.ran(host, run)

    assert ran.outcome.exit_code == 0, ran.outcome.text
    assert {"demo_package.py", "demo_dependency.py"} <= {file.name for file in ran.folder.rglob("demo_*.py")}
    assert {lookup["outcome"] for lookup in ran.lookups} <= {"hit", "wait"}
    assert {lookup["feed"] for lookup in ran.lookups} == {"corp"}


FROZEN = {name: row for name, row in ALL.items() if "frozen" in name}


@pytest.mark.parametrize(("host", "run"), sampled(FROZEN, [name for name in ALWAYS if name in FROZEN]))
def test_frozen_sync_asks_for_the_file_under_its_guids(runs: Runs, host: str, run: str) -> None:
    assert GUID_FILE.fullmatch(runs.ran(host, run).lookups[-1]["url"])


SERIES = [ALWAYS, pytest.param(list(ALL), marks=pytest.mark.long)]


@pytest.mark.parametrize("names", SERIES, ids=len)
def test_runs_in_a_row_call_az_once(runs: Runs, names: list[str]) -> None:
    assert len(runs.all(names)) == len(names)

    assert len(runs.house.az.calls) == 1
    assert len(runs.house.acme.exchanges) == 1


@pytest.mark.parametrize("names", SERIES, ids=len)
def test_no_run_leaves_a_credential_in_a_file_or_variable(runs: Runs, names: list[str]) -> None:
    runs.all(names)

    search = Search(runs.house.tokens)

    assert search.files(runs.house.folder) == []
    assert not search.is_in(repr(runs.house.environment).encode())
    assert search.processes() == []
