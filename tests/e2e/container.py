"""What a container is to a share: a user and a mount namespace with the share's folder mounted read-only.

Its process starts once and holds the folder from then on, as a devcontainer does.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Self

from tests.fakes.clients import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIFE = """
mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" || exit 125
while read -r service; do
    "$3" get "$service" ci > "$4/out" 2> "$4/err"
    echo $?
done
"""


class Container:
    """Runs from entering to leaving; `keyring` is the shim in it. Nothing outside sees its mount."""

    def __init__(self, folder: Path, scratch: Path, shim: Path, environment: Mapping[str, str]) -> None:
        self._scratch = scratch
        mounted = scratch / "mounted"
        mounted.mkdir(parents=True)
        self._command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", LIFE, "container"]
        self._command += [str(folder), str(mounted), str(shim), str(scratch)]
        self._environment = {
            **environment,
            "TOKEN_BROKER_SOCKET": f"{mounted}/broker.sock",
            "TOKEN_BROKER_AUTOSTART": "0",
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0

    def keyring(self, service: str) -> Outcome:
        """Ask for a service's password, as uv would in it."""
        asking, answering = self._process.stdin, self._process.stdout
        assert asking is not None
        assert answering is not None
        asking.write(f"{service}\n")
        asking.flush()
        code = int(answering.readline())
        return Outcome(code, (self._scratch / "out").read_text(), (self._scratch / "err").read_text())
