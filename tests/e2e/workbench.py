"""A workbench: a folder in which one package client works, and what it asked for meanwhile.
Next: `toolbox.py`, where the bigger clients come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.household import PACKAGE
from tests.fakes.wheels import Wheel, wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.town import Town
    from tests.fakes.clients import Outcome

Asked = list[tuple[str, str]]


class Workbench:
    """`program` works in `folder` with `environment` over the household's own."""

    def __init__(self, town: Town, folder: Path, program: Path, **environment: str) -> None:
        self.folder = folder
        self._town = town
        self._program = program
        self._environment = environment

    def run(self, *words: str | Path, **more: str) -> Outcome:
        """Run the client, which must succeed or fail by itself."""
        return self._town.house._run([self._program, *words], self.folder, {**self._environment, **more})

    def work(self, *words: str | Path, **more: str) -> Asked:
        """Run the client, which must succeed; returns what the broker was asked, and whether it answered."""
        before = self._town.count()
        done = self.run(*words, **more)
        assert done.exit_code == 0, done.text
        return self._town.asked_since(before)

    def project(self, tables: str) -> None:
        """A project that needs PACKAGE, with these tables of the client's own."""
        (self.folder / "pyproject.toml").write_text(
            f'[project]\nname = "household"\nversion = "3.0"\nrequires-python = ">=3.11,<4"\n'
            f'dependencies = ["{PACKAGE.name}"]\n\n{tables}\n'
        )

    def build(self, name: str) -> Wheel:
        """A wheel in `dist`, the only one there."""
        made = wheel(name, "3.0")
        (self.folder / "dist").mkdir()
        (self.folder / "dist" / made.filename).write_bytes(made.content)
        return made

    def installed(self) -> set[str]:
        """The modules that were installed below the folder."""
        return {file.name for file in self.folder.rglob("demo_*.py")}
