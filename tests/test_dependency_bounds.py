"""Both ends of what pyproject.toml allows: the socket API and brokerctl's commands pass their tests at each.

`broker/server` leans on private parts of uvicorn, h11 and asyncio, and `broker/api` on starlette's: no bound
is a version that was not tried here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.contract.shims import uv

pytestmark = pytest.mark.long

TRIED = (
    *("tests/server", "tests/api", "tests/config", "tests/gateway"),
    *("tests/e2e/test_socket_api.py", "tests/ctl/test_app.py"),
)

TEST_TOOLS = (
    "botocore>=1.38",
    "pytest>=8.3,<9.2",
    "pytest-asyncio>=1.0",
    "pytest-xdist>=3.6",
    "hypothesis>=6.130",
    "trustme>=1.2",
    "uv>=0.9",
)
"""What these tests import and the distribution does not: the newest; their bounds are not tried."""


def run(*command: str) -> str:
    """What a command says; its failure is the test's, with all that it said."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
def test_what_is_tested_here_holds_at_both_ends_of_the_bounds(resolution: str, tmp_path: Path) -> None:
    tool, python = uv(), str(tmp_path / "bin" / "python")
    assert tool is not None, "uv is one of the development dependencies"
    run(tool, "venv", "--quiet", "--clear", "--python", sys.executable, str(tmp_path))
    install = (tool, "pip", "install", "--quiet", "--python", python)
    run(*install, "--resolution", resolution, "./client", ".")
    run(*install, *TEST_TOOLS)
    versions = run(tool, "pip", "freeze", "--python", python)

    said = run(python, "-m", "pytest", "-q", "-n2", "-p", "no:cacheprovider", *TRIED)

    sys.stdout.write(f"{versions}\n{said}")  # `pytest -rP` shows which versions these were
    assert " passed in " in said
