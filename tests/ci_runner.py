"""What a runner of GitHub Actions and an agent of Azure Pipelines do between two steps, as they document it.

GitHub: docs.github.com, "Workflow commands", "Setting an environment variable" and "Adding a system path".
Azure: learn.microsoft.com, "Logging commands", SetVariable and PrependPath; a percent sign comes as %AZP25.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("GITHUB_ENV", "GITHUB_PATH")


def files_of_a_step(folder: Path) -> dict[str, str]:
    """The two files that a step may write to, empty, by the variables that name them."""
    for name in FILES:
        (folder / name).write_text("")
    return {name: str(folder / name) for name in FILES}


def obey_files(folder: Path, environ: dict[str, str]) -> None:
    """Change the environment of the later steps by what a step wrote."""
    for line in (folder / "GITHUB_ENV").read_text().splitlines():
        name, _, value = line.partition("=")
        environ[name] = value
    for added in (folder / "GITHUB_PATH").read_text().splitlines():
        _prepend(added, environ)


def obey_commands(printed: str, environ: dict[str, str]) -> None:
    """Change the environment of the later steps by the logging commands among what a step printed."""
    for what, value in re.findall(r"^##vso\[task\.(.+?)\](.*)$", printed, re.MULTILINE):
        told = value.replace("%AZP25", "%")
        if what == "prependpath":
            _prepend(told, environ)
        else:
            environ[what.removeprefix("setvariable variable=")] = told


def _prepend(folder: str, environ: dict[str, str]) -> None:
    environ["PATH"] = f"{folder}:{environ.get('PATH', os.environ['PATH'])}"
