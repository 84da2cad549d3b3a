"""token-broker as alice would have installed it, below her home, or an administrator for everybody, in /opt.

Its `broker` and its shim are copies; what they depend on is read from the environment that runs the tests.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import token_broker_client
import token_broker_keyring

import broker

if TYPE_CHECKING:
    from tests.systemd.machine import Machine

PREFIX = "apps/token-broker"
"""Below the home."""

EVERYBODYS = Path("/opt/token-broker")
NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"

SCRIPTS = {"brokerd": "broker.daemon.main", "brokerctl": "broker.ctl.app"}
PACKAGES = Path(sysconfig.get_path("purelib"))
PACKAGES_SEEN = Path("/srv/site-packages")
"""Where `boot.sh` shows PACKAGES, which may themselves lie below /tmp."""

INTERPRETER = Path(sys.base_prefix)

UV = Path(sysconfig.get_path("scripts")) / "uv"

READABLE = (UV.parent, *((INTERPRETER,) if Path("/usr") != INTERPRETER else ()))
"""What an installation uses outside itself."""


def install(machine: Machine, user: str) -> Path:
    """Install for one user, and return the installation's prefix as the machine's users see it."""
    seen = Path("/home", user, PREFIX)
    _install(machine, seen, INTERPRETER / "bin" / NAME)
    owner = machine.home(user).stat()
    for place, _, files in os.walk(machine.home(user) / PREFIX.partition("/")[0]):
        for file in ("", *files):
            os.chown(Path(place, file), owner.st_uid, owner.st_gid, follow_symlinks=False)
    return seen


def install_for_everybody(machine: Machine) -> Path:
    """Install where everybody may run it and only root may change it; returns the prefix.

    Skips where no Python of our version lies outside of the homes, which a service does not see.
    """
    for python in (INTERPRETER / "bin" / NAME, Path("/usr/bin", NAME), Path("/usr/local/bin", NAME)):
        if python.exists() and not str(python.resolve()).startswith(("/root/", "/home/")):
            _install(machine, EVERYBODYS, python)
            return EVERYBODYS
    pytest.skip(f"no {NAME} outside of the homes")


def _install(machine: Machine, seen: Path, python: Path) -> None:
    made = machine.root / seen.relative_to("/")
    scripts = made / "bin"
    packages = made / "lib" / NAME / "site-packages"
    scripts.mkdir(parents=True)
    packages.mkdir(parents=True)
    (scripts / "python").symlink_to(python)
    (made / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    (packages / "environment.pth").write_text(f"import site; site.addsitedir({str(PACKAGES_SEEN)!r})\n")
    shutil.copytree(Path(broker.__file__).parent, packages / "broker")
    for module in (token_broker_client, token_broker_keyring):
        shutil.copy(str(module.__file__), packages)
    for name in ("token-broker", "token-broker-client"):
        about = distribution(name)
        folder = Path(str(about.locate_file(f"{name.replace('-', '_')}-{about.version}.dist-info")))
        shutil.copytree(folder, packages / folder.name)
    shutil.copy(Path(sysconfig.get_path("scripts")) / "keyring-shim", scripts)
    for name, entry in SCRIPTS.items():
        script = scripts / name
        script.write_text(f"#!{seen}/bin/python\nimport sys\nfrom {entry} import main\nsys.exit(main())\n")
        script.chmod(0o755)
