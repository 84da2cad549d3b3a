"""A newcomer: somebody with an account in which nothing is yet, a clone of this repository, and its README.

What is typed is what the README tells, read from it. Next: `test_newcomer.py`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.systemd.installation import UV

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.systemd.account import Account
    from tests.systemd.machine import Done

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CLONE = "token-broker"


def told(section: str, number: int = 0) -> list[str]:
    """The lines of a section's shell block, as they are to be typed."""
    _, _, after = README.partition(f"\n## {section}\n")
    text = after.partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[number].strip().splitlines()  # type: ignore[no-any-return]


class Newcomer:
    """`account` is a user who has a service manager; `environment` is what a site sets for all its shells."""

    def __init__(self, account: Account, environment: Mapping[str, str]) -> None:
        self.account = account
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/bash", **environment}
        self.transcript: list[str] = []

    def clone(self) -> None:
        """Have a clone of what stands here, changed files included."""
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            copy = self.account.home / CLONE / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy, follow_symlinks=False)
        self.account.machine.run("root", "chown", "-R", self.account.user, self.account.seen_home / CLONE)

    def types(self, line: str, *, more: Mapping[str, str] | None = None, check: bool = True) -> Done:
        """Type a line in the clone, with `more` variables; what it makes of PATH stays, as in one shell."""
        script = f'{line}\ncode=$?; printf %s "$PATH" >$XDG_RUNTIME_DIR/path; exit $code'
        command: list[str | Path] = ["env", "-C", self.account.seen_home / CLONE, "bash", "-c", script]
        variables = {**self.environment, **(more or {})}
        done = self.account.machine.run(self.account.user, *command, environment=variables, check=False)
        self.environment["PATH"] = (self.account.runtime / "path").read_text()
        self.transcript.append(f"$ {line}\n{done.stdout}{done.stderr}")
        assert not check or done.exit_code == 0, self.said
        return done

    @property
    def said(self) -> str:
        """All that was typed so far, and what came back."""
        return "\n".join(self.transcript)


def put_uv_on_path(account: Account) -> None:
    """What a machine has on which people use uv."""
    (account.machine.root / "usr/local/bin/uv").symlink_to(UV)
