"""The real tools that run uv or pip, or ask a keyring of their own: what each is given so that it installs or
publishes one package. Next: `test_tools_served.py`, which serves them, and `test_why_wrapped.py`.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.e2e.household import PACKAGE
from tests.fakes.clients import UV, Outcome, outcome_of
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.household import Household
    from tests.e2e.toolbox import Toolbox

LIMIT_S = 300.0
APP = wheel("demo-app", "1.0", requires=(PACKAGE.name,), commands=("demo-app",))
BUILT = wheel("household-built", "3.0")
IMPORTS = "import demo_package"

TOX = f"""[tox]
skipsdist = true
envlist = t
[testenv]
deps = {PACKAGE.name}
commands = python -c "{IMPORTS}"
"""
NOX = (
    f'import nox\n@nox.session\ndef t(session):\n    session.install("{PACKAGE.name}")\n'
    f'    session.run("python", "-c", "{IMPORTS}")\n'
)
BUILD = f"""[build-system]
requires = ["{PACKAGE.name}"]
build-backend = "own"
backend-path = ["."]
[project]
name = "x"
version = "1"
"""
OWN_BACKEND = f"""{IMPORTS}
def build_wheel(folder, *_):
    open(f"{{folder}}/x-1-py3-none-any.whl", "w").close()
    return "x-1-py3-none-any.whl"
"""
PROJECT = f"""[project]
name = "x"
version = "1"
requires-python = ">=3.11,<4"
dependencies = ["{PACKAGE.name}"]
"""
PDM = PROJECT + '[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{index}"\n'
POETRY = (
    PROJECT + "[tool.poetry]\npackage-mode = false\n"
    '[[tool.poetry.source]]\nname = "corp"\nurl = "{index}"\npriority = "primary"\n'
)
PIPENV = (
    f'[[source]]\nurl = "{{index}}"\nverify_ssl = true\nname = "corp"\n[packages]\n{PACKAGE.name} = "*"\n'
)
HATCH = PROJECT.replace(f'dependencies = ["{PACKAGE.name}"]', "") + (
    f'[tool.hatch.envs.default]\nskip-install = true\ndependencies = ["{PACKAGE.name}"]\n'
)
PRE_COMMIT = f"""repos:
- repo: local
  hooks:
  - id: t
    name: t
    language: python
    entry: python -c "{IMPORTS}"
    additional_dependencies: [{PACKAGE.name}]
    always_run: true
    pass_filenames: false
"""


@dataclass(frozen=True)
class Tool:
    """How a tool is run, and what gives it its index: a `variable`, or `{index}` in its words and files.

    `library`: it asks the keyring library. `with_uv`: uv is on its PATH. `before` prepares its folder.
    """

    program: str
    words: tuple[str, ...]
    variable: str = ""
    files: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    with_uv: bool = False
    library: bool = False
    before: tuple[tuple[str, ...], ...] = ()


PIPX = {"PIPX_HOME": "{folder}/home", "PIPX_BIN_DIR": "{folder}/bin", "PIPX_MAN_DIR": "{folder}/man"}

TOOLS = {
    "tox": Tool("tox", ("-r",), "PIP_INDEX_URL", {"tox.ini": TOX}),
    "tox with uv": Tool("tox-uv", ("-r",), "UV_INDEX_URL", {"tox.ini": TOX}),
    "nox": Tool("nox", (), "PIP_INDEX_URL", {"noxfile.py": NOX}),
    "nox with uv": Tool("nox", ("-db", "uv"), "UV_INDEX_URL", {"noxfile.py": NOX}, with_uv=True),
    "pre-commit": Tool(
        "pre-commit",
        ("run", "--all-files"),
        "PIP_INDEX_URL",
        {".pre-commit-config.yaml": PRE_COMMIT},
        {"PRE_COMMIT_HOME": "{folder}/cache"},
        before=(("git", "init", "-q", "."), ("git", "add", "-A")),
    ),
    "pipx": Tool(
        "pipx",
        ("install", "--backend", "pip", "--index-url", "{index}", APP.name),
        environment=PIPX,
    ),
    "pipx with uv": Tool(
        "pipx",
        ("install", "--backend", "uv", "--index-url", "{index}", APP.name),
        environment=PIPX,
        with_uv=True,
    ),
    "build": Tool(
        "pyproject-build", ("-w", "."), "PIP_INDEX_URL", {"pyproject.toml": BUILD, "own.py": OWN_BACKEND}
    ),
    "pdm": Tool("pdm", ("install",), files={"pyproject.toml": PDM}),
    "pdm with the library": Tool("pdm", ("install",), files={"pyproject.toml": PDM}, library=True),
    "pdm with uv": Tool(
        "pdm", ("install",), files={"pyproject.toml": PDM}, environment={"PDM_USE_UV": "1"}, with_uv=True
    ),
    "poetry": Tool("poetry", ("install", "-n"), files={"pyproject.toml": POETRY}, library=True),
    "pipenv": Tool("pipenv", ("install",), files={"Pipfile": PIPENV}),
    "hatch": Tool("hatch", ("run", "python", "-c", IMPORTS), "PIP_INDEX_URL", {"pyproject.toml": HATCH}),
    "hatch publish": Tool(
        "hatch",
        ("publish", "-n", "-r", "{index}", "-u", "ci"),
        files={"pyproject.toml": PROJECT},
        library=True,
    ),
    "twine": Tool(
        "twine",
        (
            "upload",
            "--non-interactive",
            "--disable-progress-bar",
            "--repository-url",
            "{index}",
            f"dist/{BUILT.filename}",
        ),
        library=True,
    ),
}
UPLOADS = ("hatch publish", "twine")


class ToolBench:
    """One tool in a folder of its own, with an index or the address that it publishes to.

    `environment` is the whole of it, and may be changed before a run.
    """

    def __init__(self, house: Household, toolbox: Toolbox, folder: Path, name: str, index: str) -> None:
        self.folder = folder
        self.tool = TOOLS[name]
        self.program = toolbox.program(self.tool.program, library=self.tool.library)
        self._index = index
        for place, text in self.tool.files.items():
            (folder / place).write_text(self._spelt(text))
        (folder / "dist").mkdir()
        (folder / "dist" / BUILT.filename).write_bytes(BUILT.content)
        caches = ("POETRY_CACHE_DIR", "PDM_CACHE_DIR", "UV_CACHE_DIR", "PIP_CACHE_DIR")
        self.environment = {
            **house.environment,
            "PDM_CHECK_UPDATE": "0",
            "POETRY_VIRTUALENVS_IN_PROJECT": "1",
            "PIPENV_VENV_IN_PROJECT": "1",
            "HATCH_DATA_DIR": str(folder / "hatch"),
            **dict.fromkeys(caches, str(folder / "cache")),
            **{variable: self._spelt(value) for variable, value in self.tool.environment.items()},
        }
        del self.environment["UV_PYTHON"]
        if self.tool.variable:
            self.environment[self.tool.variable] = index
        if self.tool.with_uv:
            self.environment["PATH"] += f":{UV.parent}"
        for command in self.tool.before:
            subprocess.run(command, cwd=folder, env=self.environment, check=True, capture_output=True)

    def run(self, *before: str | Path) -> Outcome:
        """Run it, behind these words."""
        command = [*before, self.program, *map(self._spelt, self.tool.words)]
        return outcome_of(command, self.folder, self.environment, LIMIT_S)

    def _spelt(self, text: str) -> str:
        return text.replace("{index}", self._index).replace("{folder}", str(self.folder))
