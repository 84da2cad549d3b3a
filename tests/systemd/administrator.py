"""Root on the machine, who types what a page says, on a terminal."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.systemd.machine import UIDS, Done

if TYPE_CHECKING:
    from tests.systemd.machine import Machine

LIMIT_S = 400
"""An installation with all its libraries, on a busy machine."""

PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SUDO = 'sudo() { "$@"; }\n'
"""Root types what the page says after `sudo`."""


class Administrator:
    """Types in the folder /srv, which has the folder of wheels; no package comes from anywhere else."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def types(self, text: str, *, check: bool = True) -> Done:
        """Type it on a terminal, which `systemctl edit` demands. Fails with what was said."""
        offline = {"UV_OFFLINE": "1", "UV_FIND_LINKS": "/srv/wheels", "SYSTEMD_EDITOR": "/srv/editor"}
        self.writes("srv/typed", f"set -e\n{SUDO}{text}")
        words = ("env", "-C", "/srv", "script", "-qec", "bash /srv/typed", "/dev/null")
        command = self.machine.command("root", words, {"PATH": PATH, **offline})
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert not check or done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return Done(done.returncode, done.stdout, done.stderr)

    def writes(self, place: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the machine."""
        path = self.machine.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def logs_in_anew(self) -> None:
        """Have alice and bob log out and in."""
        managers = " ".join(f"user@{UIDS[user]}.service" for user in ("alice", "bob"))
        self.types(f"systemctl restart {managers}")

    def keyring(self, user: str, url: str) -> Done:
        """A user's look-up, as uv would make it after a login."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TOKEN_BROKER_AUTOSTART": "0"}
        return self.machine.run(user, "keyring", "get", url, "service", environment=environment, check=False)
