"""A workstation that several people share: token-broker is installed for everybody, root sets it up."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from tests.systemd.account import SERVICE_UNIT, SOCKET_UNIT
from tests.systemd.installation import install_for_everybody
from tests.systemd.machine import UIDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.systemd.machine import Done, Machine

SYSTEM_SOCKET = "/run/token-broker/broker.sock"
DROP_IN = f"etc/systemd/system/{SERVICE_UNIT}.d/credentials.conf"
UNITS = "etc/systemd/system"

CORP = "https://corp.example/simple/"
TOOLS = "https://tools.example/simple/"
CORP_TOKEN = "token-of-the-whole-corporation"
TOOLS_TOKEN = "token-of-the-tools"

FEEDS = f"""
[[feed]]
name = "corp"
url = "{CORP}"
provider = "basic"
username = "service"
secret = "credential:corp-token"
verify = false
allow = {{ groups = ["developers"] }}

[[feed]]
name = "tools"
url = "{TOOLS}"
provider = "basic"
username = "service"
secret = "file:/etc/token-broker/tools-token"
verify = false
allow = {{ users = ["carol"] }}
"""

GROUPS = {"feed-users": ("alice", "carol"), "developers": ("alice",)}
"""Who may speak to the socket, and whom `corp` is for. bob is in neither, carol in the first."""

ASK = """
import json, socket, sys
def ask(path, method, target):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    request = f"{method} {target} HTTP/1.1\\r\\nHost: broker\\r\\nConnection: close\\r\\n\\r\\n"
    client.sendall(request.encode())
    answer = b""
    while piece := client.recv(65536):
        answer += piece
    head, _, body = answer.partition(b"\\r\\n\\r\\n")
    return int(head.split()[1]), json.loads(body)
try:
    print(json.dumps(ask(*sys.argv[1:])))
except OSError as error:
    print(json.dumps([type(error).__name__, None]))
"""
"""Prints status and body of an answer, or the name of what the kernel said instead."""


class Workstation:
    """`bin` are everybody's programs."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.bin = install_for_everybody(machine) / "bin"

    def file(self, place: str) -> Path:
        """A file of the machine's, as seen from outside."""
        return self.machine.root / place

    def root(self, *argv: str | Path, check: bool = True) -> Done:
        """Run a command as root."""
        path = {"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin"}
        return self.machine.run("root", *argv, environment=path, check=check)

    def run(
        self, user: str, *argv: str | Path, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> Done:
        """Run a command as this user, whose PATH has everybody's programs."""
        variables = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "TOKEN_BROKER_AUTOSTART": "0",
            **(environment or {}),
        }
        command = ["env", "-C", f"/home/{user}" if UIDS.get(user) else "/root", *argv]
        return self.machine.run(user, *command, environment=variables, check=check)

    def look_up(self, user: str, url: str = CORP) -> Done:
        """Ask the shim as uv would."""
        return self.run(user, self.bin / "keyring-shim", "get", url, "service", check=False)

    def ask(self, user: str, method: str, target: str) -> tuple[int | str, Any]:
        """Status and body that the system broker answers, or the kernel's error by its name and None."""
        argv = (self.bin / "python", "-I", "-c", ASK, SYSTEM_SOCKET, method, target)
        status, body = json.loads(self.run(user, *argv).stdout)
        return status, body

    def set_up_system_broker(self) -> None:
        """`brokerctl setup --system`, its groups, its feeds and their secrets."""
        self.root("brokerctl", "setup", "--system")
        for group, members in GROUPS.items():
            self.root("groupadd", "--force", group)
            for user in members:
                self.root("usermod", "-aG", group, user)
        self.file("etc/token-broker/system.toml").write_text(FEEDS)
        self.file("etc/token-broker/tools-token").write_text(TOOLS_TOKEN)
        self.root("chown", "token-broker:", "/etc/token-broker/tools-token")
        self.root("chmod", "400", "/etc/token-broker/tools-token")
        self._keep_the_secret()
        self.restart()

    def restart(self) -> None:
        """Let the service start anew with the next look-up."""
        self.root("systemctl", "daemon-reload")
        self.root("systemctl", "stop", SERVICE_UNIT)
        self.root("systemctl", "start", SOCKET_UNIT)

    def log(self) -> str:
        """What the broker has written into the journal."""
        self.root("journalctl", "--sync", check=False)
        return self.root("journalctl", "--no-pager", "-o", "cat", "-u", SERVICE_UNIT).stdout

    def audit(self) -> list[str]:
        """The journal's audit lines."""
        told = (line.partition("broker.audit: ")[2] for line in self.log().splitlines())
        return [line for line in told if line]

    def recent(self) -> list[Mapping[str, Any]]:
        """The last look-ups, as root is told of them."""
        _, status = self.ask("root", "GET", "/v1/status")
        found: list[Mapping[str, Any]] = status["recent"]
        return found

    def _keep_the_secret(self) -> None:
        """Encrypted with the machine's key, and loaded by a drop-in, as an administrator would."""
        kept = "/etc/credstore.encrypted/corp-token"
        self.root("mkdir", "-p", "-m", "700", "/etc/credstore.encrypted")
        encrypt = f"printf %s {CORP_TOKEN} | systemd-creds encrypt --with-key=host --name=corp-token - {kept}"
        self.root("sh", "-c", encrypt)
        self.file(DROP_IN).parent.mkdir(exist_ok=True)
        self.file(DROP_IN).write_text(f"[Service]\nLoadCredentialEncrypted=corp-token:{shlex.quote(kept)}\n")
