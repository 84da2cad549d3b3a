"""A whole machine's files: this one's, or those of an image of one that lies below a folder.

What is written into an image names paths as the machine sees them once it runs, and never leads out of it.
"""

import os
import re
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
from broker.host.trusted_file import UnreadableFile, read

ROOT_UID = 0

INSTALL = (
    "UV_TOOL_DIR=/opt/token-broker UV_TOOL_BIN_DIR=/usr/local/bin"
    " uv tool install wheels/token_broker-*.whl --with wheels/token_broker_client-*.whl"
)
"""Installs token-broker where every user can run it and only root can change it, from the folder of wheels
that `uv build --all-packages --out-dir wheels` makes: no index has a package of this name."""


INSTALL_PYTHON = f"{INSTALL} --reinstall --python /usr/bin/python3"
"""The same by the machine's own Python, where uv took one that lies in root's home."""

SYSTEM_FOLDERS = ("/bin/", "/sbin/", "/usr/")
"""What lies there comes with an image's packages, maybe later."""

LINKS_MAX = 40
"""As many as the kernel follows (path_resolution(7))."""

SCRIPT_BYTES = 4096

IN_SECOND_LINE = re.compile(r"'''exec' [\"']?(/[^\"' ]+)")
"""Where pip and uv write a path that is too long for the kernel's first line, for /bin/sh to run."""


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
            if not self.is_live:
                self._refuse_what_leads_out(path)
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
        here = self._here(path)
        if not os.path.lexists(here):
            raise CommandError(f"{self.root} has no {path}: install token-broker in it first", hint=INSTALL)
        real = self._real(here)
        own = (here, *here.parents)
        for each in dict.fromkeys((*own, real, *real.parents)):
            if not each.is_relative_to(self.root):
                continue
            found = each.lstat()
            what, hint = (
                ("token-broker", INSTALL) if each in own else (f"its Python, {real},", INSTALL_PYTHON)
            )
            if stat.S_ISDIR(found.st_mode) and not found.st_mode & stat.S_IXOTH:
                raise CommandError(f"{each} is closed to others, and {what} lies below it", hint=hint)
            if self.is_live and (found.st_uid != ROOT_UID or _is_open(found)):
                raise CommandError(
                    f"{each} can be changed by others than root, who would run as you", hint=hint
                )

    def _refuse_what_leads_out(self, path: Path) -> None:
        """Refuse a link, or a script's first line, that names a path which the image does not have."""
        named, how = self._followed(path), "leads to"
        if named == path:
            named, how = _interpreter(self._here(path)) or path, "begins with #!"
        if str(named).startswith(SYSTEM_FOLDERS) or os.path.lexists(self._here(named)):
            return
        raise CommandError(
            f"{self._here(path)} {how} {named}, which {self.root} does not have: install token-broker inside"
            " the image, by the paths that it will have",
            hint=f"chroot {quote(str(self.root))} env {INSTALL}",
        )

    def _followed(self, path: Path) -> Path:
        """What a link of the image leads to, as that machine would follow it; else the path itself."""
        for _ in range(LINKS_MAX):
            here = self._here(path)
            if not here.is_symlink():
                break
            path = Path(os.path.normpath(path.parent / here.readlink()))
        return path

    def _here(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    def _real(self, here: Path) -> Path:
        """The path without links; in an image they are not resolved, for they name that machine's paths."""
        return here.resolve() if self.is_live else here


def _interpreter(script: Path) -> Path | None:
    """The absolute path that runs this script; None where it is no script."""
    try:
        beginning = read(script, SCRIPT_BYTES, beginning=True).decode(errors="replace")
    except UnreadableFile:
        return None
    first, _, rest = beginning.partition("\n")
    named = IN_SECOND_LINE.match(rest) or re.match(r"#!\s*(/\S+)", first)
    return Path(named[1]) if named and first.startswith("#!") else None


def _is_open(found: os.stat_result) -> bool:
    """True when other users than its owner can change it; in a sticky folder they cannot."""
    return (
        not stat.S_ISLNK(found.st_mode)
        and bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        and not found.st_mode & stat.S_ISVTX
    )
