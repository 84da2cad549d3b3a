"""The real tools that run uv or pip, and those that ask a keyring of their own: `why` names the cause through
them, and `exec` serves them, though some of them clean the environment.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, PACKAGE, PLAIN_FEED, PLAIN_HOST, Household, feed, household
from tests.e2e.test_why_in_the_field import BROKERCTL
from tests.e2e.why_cases import AS_CI, AS_JANE, WITH_STALE
from tests.fakes.clients import UV, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.toolbox import Toolbox

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("wrapped")]

TOX = f"""[tox]
skipsdist = true
envlist = t
[testenv]
deps = {PACKAGE.name}
commands = python -c "import demo_package"
"""
NOX = f'import nox\n@nox.session\ndef t(session):\n    session.install("{PACKAGE.name}")\n'
BUILD = f"""[build-system]
requires = ["{PACKAGE.name}"]
build-backend = "demo_package"
[project]
name = "x"
version = "1"
"""
PROJECT = f"""[project]
name = "x"
version = "1"
requires-python = ">=3.11,<4"
dependencies = ["{PACKAGE.name}"]
"""
PDM = PROJECT + '[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{}"\n'
POETRY = (
    PROJECT + "[tool.poetry]\npackage-mode = false\n"
    '[[tool.poetry.source]]\nname = "corp"\nurl = "{}"\npriority = "primary"\n'
)
PIPENV = f'[[source]]\nurl = "{{}}"\nverify_ssl = true\nname = "corp"\n[packages]\n{PACKAGE.name} = "*"\n'


@dataclass(frozen=True)
class Tool:
    """How a tool is run, the environment and the file that give it an index, and what `why` then finds."""

    program: str
    words: tuple[str, ...]
    check: str
    variable: str = ""
    bad: str = AS_JANE
    good: str = AS_CI
    files: dict[str, str] = field(default_factory=dict)
    with_uv: bool = False
    library: bool = False
    works: bool = True


TOOLS = {
    "tox": Tool("tox", ("-r",), "other-user", "PIP_INDEX_URL", files={"tox.ini": TOX}),
    "tox with uv": Tool("tox-uv", ("-r",), "no-username", "UV_INDEX_URL", PLAIN_FEED, files={"tox.ini": TOX}),
    "nox": Tool("nox", (), "other-user", "PIP_INDEX_URL", files={"noxfile.py": NOX}),
    "nox with uv": Tool(
        "nox",
        ("-db", "uv"),
        "no-username",
        "UV_INDEX_URL",
        PLAIN_FEED,
        files={"noxfile.py": NOX},
        with_uv=True,
    ),
    "build": Tool(
        "pyproject-build", (".",), "other-user", "PIP_INDEX_URL", files={"pyproject.toml": BUILD}, works=False
    ),
    "pdm": Tool(
        "pdm", ("lock",), "own-password", bad=WITH_STALE, good=PLAIN_FEED, files={"pyproject.toml": PDM}
    ),
    "poetry": Tool(
        "poetry",
        ("lock",),
        "poetry-username",
        bad=AS_CI,
        good=PLAIN_FEED,
        files={"pyproject.toml": POETRY},
        library=True,
    ),
    "pipenv": Tool("pipenv", ("lock",), "other-user", files={"Pipfile": PIPENV}),
}


@pytest.fixture(scope="module")
def house() -> Iterator[Household]:
    with household() as made:
        made.configure(feed("corp", AZURE_FEED) + made.plain_feed())
        # tox keeps every variable that names a socket from its children: they find it above their `bin`
        made.socket = made.folder / "broker.sock"
        made.environment["TOKEN_BROKER_SOCKET"] = str(made.socket)
        with made.brokerd():
            yield made


class Bench:
    """One tool in a folder of its own."""

    def __init__(self, house: Household, toolbox: Toolbox, folder: Path, tool: Tool, index: str) -> None:
        self.folder = folder
        self.tool = tool
        self.program = toolbox.program(tool.program, library=tool.library)
        for name, text in tool.files.items():
            (folder / name).write_text(text.format(index) if not tool.variable else text)
        self.environment = {
            **house.environment,
            "PDM_CHECK_UPDATE": "0",
            "POETRY_CACHE_DIR": str(folder / "cache"),
        }
        self.environment["PDM_CACHE_DIR"] = str(folder / "cache")
        del self.environment["UV_PYTHON"]
        if tool.variable:
            self.environment[tool.variable] = index
        if tool.with_uv:
            self.environment["PATH"] += f":{UV.parent}"

    def run(self, *before: str | Path) -> Outcome:
        done = subprocess.run(
            [*before, self.program, *self.tool.words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", TOOLS)
def test_why_names_the_cause_through_the_tool(
    house: Household, toolbox: Toolbox, tmp_path: Path, name: str
) -> None:
    bench = Bench(house, toolbox, tmp_path, TOOLS[name], TOOLS[name].bad)

    told = bench.run(BROKERCTL, "why", "--json", "--")

    assert told.exit_code != 0
    assert told.stderr.splitlines()[-1].startswith("{"), told.text
    found = json.loads(told.stderr.splitlines()[-1])["findings"]
    assert TOOLS[name].check in {each["check"] for each in found}, found
    assert any(PLAIN_HOST in str(each["repair"]) for each in found), found
    assert "TRACE" not in told.text


@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.works])
def test_exec_serves_the_tool(house: Household, toolbox: Toolbox, tmp_path: Path, name: str) -> None:
    bench = Bench(house, toolbox, tmp_path, TOOLS[name], TOOLS[name].good)
    bench.environment.pop("TOKEN_BROKER_AUTOSTART")

    done = bench.run(BROKERCTL, "exec", "--")

    assert done.exit_code == 0, done.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("twine", ("upload", "--non-interactive", "--repository-url")),
        ("hatch", ("publish", "-n", "-r")),
        ("poetry", ()),
    ],
)
def test_a_library_client_without_our_backend_is_named(
    house: Household, toolbox: Toolbox, tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    program = toolbox.program(name, library=False)
    (tmp_path / "demo-1.0-py3-none-any.whl").write_bytes(PACKAGE.content)
    (tmp_path / "pyproject.toml").write_text(POETRY.format(PLAIN_FEED))
    more = (PLAIN_FEED, "demo-1.0-py3-none-any.whl") if words else ("lock",)
    command = [BROKERCTL, "why", "--json", "--", program, *words, *more]

    told = house._run(command, tmp_path, {})

    answer = json.loads(told.stderr.splitlines()[-1])
    [found] = answer["findings"]
    assert (answer["gateway"] is not None) == (name == "poetry")
    assert found["check"] == "backend"
    assert str(program.parent.parent) in found["said"]
    assert found["repair"].endswith("-m pip install wheels/token_broker_client-*.whl")


@pytest.mark.parametrize("url", [PLAIN_FEED, AS_CI])
def test_poetry_without_our_backend_or_with_a_user_name_locks_behind_the_gateway(
    house: Household, toolbox: Toolbox, tmp_path: Path, url: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(POETRY.format(url))
    command: list[str | Path] = [toolbox.program("poetry", library=False), "lock", "-n"]
    more = {"POETRY_CACHE_DIR": str(tmp_path / "cache")}

    told = house._run([BROKERCTL, "why", "--json", "--", *command], tmp_path, more)
    line = json.loads(told.stderr.splitlines()[-1])["gateway"].replace("brokerctl", str(BROKERCTL), 1)
    done = house._run(["sh", "-c", line], tmp_path, more)

    assert told.exit_code != 0
    assert done.exit_code == 0, done.text
