"""A whole machine's files: this one's, or those of an image of one that lies below a folder.

What is written into an image names paths as the machine sees them once it runs, and never leads out of it.
"""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from broker.ctl import broker_process
from broker.ctl.command_error import CommandError
from broker.ctl.setup.found_keyrings import SHIM
from broker.ctl.setup.link_changes import Link
from broker.ctl.setup.unit_files import Installation

ROOT_UID = 0

INSTALL = (
    "UV_TOOL_DIR=/opt/token-broker UV_TOOL_BIN_DIR=/usr/local/bin"
    " uv tool install wheels/token_broker-*.whl --with wheels/token_broker_client-*.whl"
)
"""Installs token-broker where every user can run it and only root can change it, from the folder of wheels
that `uv build --all-packages --out-dir wheels` makes: no index has a package of this name."""


@dataclass(frozen=True, slots=True)
class TargetRoot:
    """The machine whose root directory is `root`."""

    root: Path = Path("/")

    @property
    def is_live(self) -> bool:
        """True for the machine that runs us: its service manager can be spoken to."""
        return self.root == Path("/")

    def at(self, place: str) -> Path:
        """That machine's absolute path, as a path here. Raises CommandError if it leads out of the image."""
        path = self.root / place.lstrip("/")
        if not path.parent.resolve().is_relative_to(self.root.resolve()):
            raise CommandError(
                f"{path.parent} leads out of {self.root}", hint=f"ls -ld {quote(str(path.parent))}"
            )
        return path

    def seen(self, path: Path) -> Path:
        """The path as that machine sees it: below `root` without it, any other as it is."""
        return Path("/") / path.relative_to(self.root) if path.is_relative_to(self.root) else path

    def installation(self) -> Installation:
        """This installation as every user of that machine will run it. Raises CommandError where they cannot.

        brokerctl runs from the image, or the image has the same installation in the same place.
        """
        found = Installation(
            self.seen(Path(sys.executable)), self.seen(broker_process.beside_us("brokerd").absolute())
        )
        for path in (found.python, found.brokerd, self.shim()):
            self._refuse_what_others_cannot_run(path)
        return found

    def shim(self) -> Path:
        """This installation's shim, as that machine sees it."""
        return self.seen(broker_process.beside_us(SHIM).absolute())

    def wanted(self, units: str, socket: str) -> Link:
        """The link by which `systemctl enable` lets a unit of this folder start with the other sockets."""
        away = self.at(f"{units}/{socket}.replaced")
        return Link(self.at(f"{units}/sockets.target.wants/{socket}"), f"{units}/{socket}", away)

    def _refuse_what_others_cannot_run(self, path: Path) -> None:
        """Refuse a program that other users cannot reach, as in a home, or can change, to act as others."""
        here = self.root / path.relative_to("/")
        if not os.path.lexists(here):
            raise CommandError(f"{self.root} has no {path}: install token-broker in it first", hint=INSTALL)
        for each in dict.fromkeys((here, *here.parents, *(self._real(here), *self._real(here).parents))):
            if not each.is_relative_to(self.root):
                continue
            found = each.lstat()
            if stat.S_ISDIR(found.st_mode) and not found.st_mode & stat.S_IXOTH:
                raise CommandError(
                    f"{each} is closed to others, and token-broker lies below it", hint=INSTALL
                )
            if self.is_live and (found.st_uid != ROOT_UID or _is_open(found)):
                raise CommandError(
                    f"{each} can be changed by others than root, who would run as you", hint=INSTALL
                )

    def _real(self, here: Path) -> Path:
        """The path without links; in an image they are not resolved, for they name that machine's paths."""
        return here.resolve() if self.is_live else here


def _is_open(found: os.stat_result) -> bool:
    """True when other users than its owner can change it; in a sticky folder they cannot."""
    return (
        not stat.S_ISLNK(found.st_mode)
        and bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        and not found.st_mode & stat.S_ISVTX
    )
