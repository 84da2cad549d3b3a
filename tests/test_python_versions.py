"""The whole default suite on each other Python that is supported and is on this machine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.long

CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")


def others() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [found[1] for each in project["classifiers"] if (found := CLASSIFIER.fullmatch(each))]
    return [version for version in named if version != f"{sys.version_info.major}.{sys.version_info.minor}"]


def interpreter(version: str) -> str:
    """By PATH, and of pyenv, whose own commands on PATH start only the version that it is set to."""
    of_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for each in (f"python{version}", *map(str, of_pyenv.glob(f"{version}.*/bin/python3"))):
        found = shutil.which(each)
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"Python {version} is not here")


@pytest.mark.parametrize("version", others())
def test_the_documented_test_command_passes(version: str, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    [command] = re.findall(r"^python3 (-m venv \.venv .*pytest)$", readme, re.MULTILINE)
    checkout = tmp_path / "token-broker"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{shlex.quote(interpreter(version))} {command} -q"],
        cwd=checkout,
        env=environ,
        text=True,
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-20_000:]
    assert re.search(r"\d+ passed", ended.stdout)
    skipped = re.findall(r"^SKIPPED \[\d+\] \S+: (.*)$", ended.stdout, re.MULTILINE)
    assert {*skipped} <= {f"no python{version} outside of the homes"}  # then services cannot start it
