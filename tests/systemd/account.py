"""An account on the machine: what a person has in it, types in it, and sees of their service manager."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.patience import PATIENCE_S
from tests.systemd.installation import PREFIX, install
from tests.systemd.machine import UIDS, Done, Machine, until

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_UNIT = "token-broker.socket"
SERVICE_UNIT = "token-broker.service"
UNITS = ".config/systemd/user"
CONFIG = ".config/token-broker/config.toml"

FEED = "https://packages.example/simple/"
TOKEN = "token-of-the-packages"
FEED_CONFIG = f"""[[feed]]
name = "packages"
url = "{FEED}"
provider = "command"
command = ["/bin/echo", "{TOKEN}"]
verify = false
"""


class Account:
    """`home` is the home as seen from outside the machine, `seen_home` from inside."""

    def __init__(self, machine: Machine, user: str) -> None:
        self.machine = machine
        self.user = user
        self.uid = UIDS[user]
        self.home = machine.home(user)
        self.seen_home = Path("/home", user)
        self.bin = self.seen_home / PREFIX / "bin"
        self.path = {"PATH": f"{self.seen_home}/.local/bin:{self.bin}:/usr/bin:/bin"}
        self.socket = Path(f"/run/user/{self.uid}/token-broker/broker.sock")
        self.runtime = machine.root / "run" / "user" / str(self.uid)

    def install(self) -> None:
        """Install token-broker below the home."""
        install(self.machine, self.user)

    def clear(self) -> None:
        """Stop what runs, and leave nothing but the installation."""
        self.systemctl("stop", SOCKET_UNIT, SERVICE_UNIT, check=False)
        for entry in self.home.iterdir():
            if entry.name == PREFIX.partition("/")[0]:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.systemctl("daemon-reload")
        self.systemctl("reset-failed")

    def write(self, place: str, text: str, mode: int = 0o644) -> Path:
        """Write a file of the user's, its folders included; returns its path as seen from inside."""
        path = self.home / place
        for folder in reversed(path.relative_to(self.home).parents):
            if not (self.home / folder).is_dir():
                (self.home / folder).mkdir(mode=0o755)
                os.chown(self.home / folder, self.uid, self.uid)
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, self.uid, self.uid)
        return self.seen_home / place

    def run(
        self,
        *argv: str | Path,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
        check: bool = True,
    ) -> Done:
        """Run a command as from a shell in the home."""
        command = ["env", "-C", self.seen_home, *argv]
        return self.machine.run(self.user, *command, environment=environment, stdin=stdin, check=check)

    def start(self, *argv: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command, with pipes."""
        return subprocess.Popen(
            self.machine.command(self.user, argv, environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def brokerctl(
        self, *words: str, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> Done:
        """Run the installed brokerctl."""
        return self.run(self.bin / "brokerctl", *words, environment=environment, check=check)

    def set_up(self, *words: str) -> Done:
        """Run `brokerctl setup`, with the folder of `keyring` first on PATH."""
        return self.brokerctl("setup", *words, environment=self.path)

    def look_up(self, url: str = FEED, *, timeout_s: float = 30.0, check: bool = True) -> Done:
        """Ask the shim as uv would."""
        limit = {"TOKEN_BROKER_TIMEOUT": str(timeout_s), "TOKEN_BROKER_AUTOSTART": "0"}
        return self.run(self.bin / "keyring-shim", "get", url, "user", environment=limit, check=check)

    def systemctl(self, *words: str, check: bool = True) -> Done:
        """Run `systemctl --user`."""
        return self.run("systemctl", "--user", "--no-pager", *words, check=check)

    def show(self, name: str, unit: str = SERVICE_UNIT) -> str:
        """A property of a unit."""
        return self.systemctl("show", f"--property={name}", "--value", unit).stdout.strip()

    def pid(self) -> int:
        """The daemon's process id in the machine; 0 while there is none."""
        return int(self.show("MainPID"))

    def kill(self, signal: str) -> None:
        """Send the daemon a signal."""
        self.run("kill", f"-{signal}", str(self.pid()))

    def wait_until(self, name: str, value: str, patience_s: float = PATIENCE_S) -> None:
        """Return when the service's property has this value."""
        until(lambda: self.show(name) == value, f"{name}={value}", patience_s)
