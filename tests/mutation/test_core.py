"""No mutant of a decision survives the tests of `broker/core/`, but those that change nothing.

Needs a tool of its own: `.venv/bin/uv pip install --group mutation`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.explained import CORE

ROOT = Path(__file__).parents[2]
MUTANTS_MIN = 1100
"""There were 1,172; far fewer would mean that the tool no longer finds the code."""

pytestmark = pytest.mark.long


def mutmut(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what is mutated and of what shall notice; pyproject.toml has the settings."""
    for name in ("broker", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "SECURITY.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def change(copy: Path, mutant: str) -> str:
    shown = mutmut(copy, "show", mutant).splitlines()
    before, after = (
        " ".join(" ".join(line[1:] for line in shown if re.match(rf"\{sign}(?!\{sign})", line)).split())
        for sign in "-+"
    )
    return f"{before}  ->  {after}"


def test_no_mutant_survives_unexplained(copy: Path) -> None:
    told = mutmut(copy, "run", "--max-children", "1")
    left = [line.split(": ") for line in mutmut(copy, "results").splitlines() if line.strip()]
    survivors = {
        (re.sub(r"__mutmut_\d+$", "", name.strip()), change(copy, name.strip()))
        for name, fate in left
        if fate != "timeout"  # a loop without end is noticed
    }

    assert survivors == {(place, change) for place, changes in CORE.items() for change in changes}
    assert int(re.findall(r"(\d+)/\d+", told)[-1]) >= MUTANTS_MIN
