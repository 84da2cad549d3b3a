"""The lowest uv and pip that docs/reference/compatibility.md names install from a feed, as the newest do."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, Household
from tests.fakes.clients import outcome_of
from tools.reference.compatibility import TRIED

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.long, pytest.mark.e2e]

LOWEST = {program: lowest for program, lowest, _, _ in TRIED}
INDEX = AZURE_FEED.replace("https://", "https://dev@")
DOWNLOAD_S = 300
SETTINGS = f"""[project]
name = "app"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["demo-package"]

[[tool.uv.index]]
name = "corp"
url = "{INDEX}"
default = true
"""


def installed(folder: Path, requirement: str) -> Path:
    """The programs of a new environment with this package in it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=DOWNLOAD_S)
    pip = (folder / "bin/python", "-m", "pip", "install", "--quiet", requirement)
    subprocess.run(pip, check=True, capture_output=True, timeout=DOWNLOAD_S)
    return folder / "bin"


def test_lowest_uv_syncs_and_installs(house: Household, tmp_path: Path) -> None:
    uv = installed(tmp_path / "lowest", f"uv=={LOWEST['uv']}.*") / "uv"
    (tmp_path / "app").mkdir()
    (tmp_path / "app/pyproject.toml").write_text(SETTINGS)
    environment = {**house.environment, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_PYTHON": sys.executable}
    with house.brokerd():
        version = outcome_of([uv, "--version"], tmp_path, environment)
        synced = outcome_of([uv, "sync"], tmp_path / "app", environment)
        target = ("pip", "install", "--target", tmp_path / "in", "--index-url", INDEX, "demo-package")
        into = outcome_of([uv, *target], tmp_path, environment)

    assert version.stdout.startswith(f"uv {LOWEST['uv']}.")
    assert (synced.exit_code, into.exit_code) == (0, 0), synced.text + into.text


def test_lowest_pip_installs(house: Household, tmp_path: Path) -> None:
    python = installed(tmp_path / "lowest", f"pip=={LOWEST['pip']}") / "python"
    words = ("--no-input", "install", "--target", tmp_path / "in", "--index-url", INDEX, "demo-package")
    with house.brokerd():
        done = outcome_of([python, "-m", "pip", *words], tmp_path, house.environment)

    assert done.exit_code == 0, done.text
