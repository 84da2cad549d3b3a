"""The real uv and pip, run in a room of their own: nothing of this machine's or this user's
configuration reaches them, and what they leave behind stays in that room.
Next: `fixtures.py`, which puts the fakes together.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE_S = 60.0  # an install from loopback takes about a second
UV = Path(sysconfig.get_path("scripts")) / "uv"
PYTHON = Path(sys.executable)
# whatever tells a package client, a sign-in tool or the daemon what to do
_TELLING_PREFIXES = (
    *("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV", "XDG_", "NETRC", "TOKEN_BROKER_"),
    *("TWINE_", "POETRY_", "PDM_", "HATCH_", "PIPX_", "KEYRING_", "DBUS_SESSION_"),
    *("AZURE_", "ARTIFACTS_", "VSS_", "SYSTEM_", "ACTIONS_", "IDENTITY_", "MSI_"),
)


@dataclass(frozen=True)
class Outcome:
    """How a client ended. `text` is all that it said."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Both streams."""
        return self.stdout + self.stderr


def outcome_of(
    command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str], limit_s: float = PATIENCE_S
) -> Outcome:
    """Run a command without input, in this whole environment."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class Clients:
    """uv and pip with `home` as their home. `environment` is the whole environment of each run, best
    made from `clean_environment(home)`.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = dict(environment)

    def uv(self, *arguments: str | Path, cwd: Path | None = None, **more: str) -> Outcome:
        """Run uv."""
        return self._run([UV, *arguments], cwd, more)

    def pip(self, *arguments: str | Path, cwd: Path | None = None, **more: str) -> Outcome:
        """Run pip, without prompts."""
        return self._run([PYTHON, "-m", "pip", "--no-input", *arguments], cwd, more)

    def _run(self, command: list[str | Path], cwd: Path | None, more: Mapping[str, str]) -> Outcome:
        return outcome_of(command, cwd or self.home, {**self.environment, **more})


def clean_environment(home: Path) -> dict[str, str]:
    """This process's environment without anyone's package client settings, with `home` as home."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_TELLING_PREFIXES)}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_DIRS": str(home / "no-site-configuration"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_RETRIES": "0",
        "UV_HTTP_RETRIES": "0",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
