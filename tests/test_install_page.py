"""docs/install.md is followed word for word in an empty home: wheels, install, set-up, upgrade, uninstall."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pages import told

pytestmark = pytest.mark.long

LIMIT_S = 600


class Typist:
    """Types blocks of the page in a clone, in one home; only this machine's way to its packages is kept."""

    def __init__(self, room: Path) -> None:
        self.home, self.clone = room / "home", room / "clone"
        self.home.mkdir()
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.clone / name)
        tools = room / "tools"
        tools.mkdir()
        (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
        (tools / "python3").symlink_to(sys.executable)
        kept = {
            name: text
            for name, text in os.environ.items()
            if name.startswith(("PIP_", "UV_", "SSL_CERT_")) or name.endswith("_PROXY")
        }
        self.environ = {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{tools}:/usr/bin:/bin",
            "UV_PYTHON": sys.executable,
            "XDG_RUNTIME_DIR": str(room / "run"),
            "SHELL": "/bin/bash",
        }
        (room / "run").mkdir(mode=0o700)

    def types(self, text: str) -> str:
        """What the lines say. Fails with all of it when one of them does."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.clone,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_the_page_is_followed_from_wheels_to_uninstall(tmp_path: Path, tool: str) -> None:
    typist = Typist(tmp_path)
    which = ["uv", "pip"].index(tool)
    if tool == "pip":  # the interpreter of this .venv lends its pip, as `python3 -m venv` of a machine would
        typist.types("python3 -m venv ~/lent")
        typist.environ["PATH"] = f"{typist.home}/lent/bin:{typist.environ['PATH']}"

    typist.types(told("install", "Where do the wheels come from?", which))
    typist.types(told("install", f"How do I install it with {tool}?"))
    typist.environ["PATH"] = f"{typist.home}/.local/bin:{typist.environ['PATH']}"
    version = typist.types("brokerctl --version; ls ~/.local/bin")
    typist.types(told("install", "How do I upgrade?", which))
    again = typist.types("brokerctl --version")
    typist.types(told("install", "How do I uninstall it?", which))

    assert version.startswith(again)
    assert "keyring" in version
    assert not {"brokerctl", "brokerd", "keyring"} & {
        path.name for path in (typist.home / ".local/bin").iterdir()
    }


NO_INDEX = "How do I install it where no index is reached?"


def test_the_folder_that_pip_made_installs_and_upgrades_without_an_index(tmp_path: Path) -> None:
    typist = Typist(tmp_path)
    typist.types("python3 -m venv ~/.local/token-broker")
    typist.environ["PATH"] = f"{typist.home}/.local/token-broker/bin:{typist.environ['PATH']}"
    typist.types(told("install", "Where do the wheels come from?", 1))
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX"):
        typist.environ[variable] = "http://127.0.0.1:9/simple/"
    with_uv, with_pip = (told("install", NO_INDEX, which) for which in (0, 1))

    typist.types(with_uv)
    typist.types(with_uv.replace("uv tool install", "uv tool install --reinstall"))
    typist.types(with_pip)
    typist.types(with_pip.replace("pip install", "pip install --upgrade"))

    versions = typist.types("~/.local/bin/brokerctl --version; ~/.local/token-broker/bin/brokerctl --version")
    assert versions.splitlines() == [versions.splitlines()[0]] * 2
