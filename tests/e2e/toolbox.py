"""Package clients that a test run does not always have, each in an environment of its own. pip makes it when
a test first asks, from wherever this machine's pip takes packages. Next: `test_poetry.py`, which asks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.fakes.wheels import Wheel

SCRIPTS = Path(sysconfig.get_path("scripts"))
CLIENT = Path(__file__).parents[2] / "client"
RELEASES = {
    "poetry": "poetry==2.5.1",
    "pdm": "pdm[locked]==2.29.3",  # without its own pins it gets a hishel and an unearth that it breaks with
    "hatch": "hatch==1.18.2",
    "pipx": "pipx==1.18.4",
    "tox": "tox==4.67.13",
    "tox-uv": "tox-uv==1.37.1",
    "nox": "nox==2026.10.20",
    "pyproject-build": "build==1.6.1",
    "pipenv": "pipenv==2026.10.3",
    "pre-commit": "pre-commit==4.6.2",
    "twine": "twine==7.0.0",
}
"""The clients as they were when their dialects were written down."""

PROGRAMS = {"tox-uv": "tox"}
"""The command of those that are called otherwise."""

INSTALL_S = 600.0


class Toolbox:
    """Installs below `folder`, once each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wheel: Path | None = None

    def program(self, name: str, *, library: bool) -> Path:
        """The client's command; with `library`, its environment has the keyring library and our backend.

        This test run's own environment is such a one, for those that are in it.
        """
        own = SCRIPTS / name
        if library and own.exists():
            return own
        place = self._folder / f"{name}-{'with' if library else 'without'}-library"
        if not place.exists():
            venv.create(place, symlinks=True)
            more = ["keyring", str(self._backend())] if library else []
            _pip("--python", str(place / "bin" / "python"), "install", RELEASES[name], *more)
        return place / "bin" / PROGRAMS.get(name, name)

    def newest(self, project: str) -> Wheel:
        """The newest wheel of a project, for a fake index to serve."""
        folder = self._folder / f"newest-{project}"
        if not folder.exists():
            _pip("download", "--no-deps", "--dest", str(folder), project)
        [file] = folder.iterdir()
        return Wheel(project, file.name.split("-")[1], file.name, file.read_bytes())

    def _backend(self) -> Path:
        """The wheel of token-broker-client, as a user would get it."""
        if self._wheel is None:
            source = self._folder / "client"
            shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "dist", "build"))
            _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(self._folder), str(source))
            [self._wheel] = self._folder.glob("*.whl")
        return self._wheel


def _pip(*words: str) -> None:
    """Run this environment's pip, as its user configured it."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--no-input", *words, "--quiet"],
        env=os.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
