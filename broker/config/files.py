"""The configuration's files as text: the site's, `env.toml`, the user's, each only where it can be trusted.

A file that others can write is refused: its writer chooses which command the daemon runs.
"""

import os
import stat
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Literal, NamedTuple

from broker.core.failures import BadConfiguration

CONFIG_BYTES_MAX = 16 * 1024 * 1024
"""10,000 feeds take about 2 MB."""

UID_MAP = Path("/proc/self/uid_map")
UNMAPPED_UID = 65534
"""The uid shown for files whose owner has none in our user namespace (/proc/sys/fs/overflowuid)."""

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


Role = Literal["site", "env", "user"]
ROLES: tuple[Role, ...] = ("site", "env", "user")


class LayerText(NamedTuple):
    """One file of the configuration: what it is for, where it is, what it says."""

    role: Role
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Where the layers are, the first one winning least. Any may be missing, but not a `required` user's."""

    site: Path | None
    env: Path | None
    user: Path
    required: bool = False

    def read(self, roles: Collection[Role] = ROLES) -> list[LayerText]:
        """Every file there is, of these roles; raises BadConfiguration for one that cannot be used."""
        paths: dict[Role, Path | None] = {"site": self.site, "env": self.env, "user": self.user}
        layers = []
        for role, path in paths.items():
            if role not in roles:
                continue
            required = self.required and role == "user"
            text = None if path is None else _text(path, role, required=required)
            if path is not None and text is not None:
                layers.append(LayerText(role, path, text))
        return layers

    def stamps(self) -> Hashable:
        """A value that changes when a file does."""
        return tuple(_stamp(path) for path in (self.site, self.env, self.user) if path is not None)


def _text(path: Path, role: Role, *, required: bool) -> str | None:
    try:
        with path.open("rb") as file:
            _refuse_untrusted(path, role, os.fstat(file.fileno()))
            content = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError:
        if required:
            raise BadConfiguration(f"{path} does not exist", hint=f"touch {quote(str(path))}") from None
        return None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise BadConfiguration(f"{path} cannot be read: {reason}", hint=f"ls -l {quote(str(path))}") from None
    if len(content) > CONFIG_BYTES_MAX:
        raise BadConfiguration(f"{path} is larger than {CONFIG_BYTES_MAX >> 20} MiB")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadConfiguration(f"{path}, line {line}: not UTF-8: save the file as UTF-8") from None


def _refuse_untrusted(path: Path, role: Role, found: os.stat_result) -> None:
    owners = {os.geteuid(), 0}
    if role == "site" and not _sees_root():
        owners.add(UNMAPPED_UID)  # its folder is root's: no other user can have put the file there
    if found.st_uid not in owners:
        raise BadConfiguration(f"{path} belongs to another user (uid {found.st_uid})")
    if found.st_mode & OTHERS_WRITE:
        raise BadConfiguration(f"{path} can be written by others", hint=f"chmod go-w {quote(str(path))}")


def _sees_root() -> bool:
    """False in a user namespace without root, such as our unit's sandbox: root's files look unowned."""
    try:
        lines = UID_MAP.read_text().splitlines()
    except OSError:
        return True  # no Linux, or no such namespaces
    return any(line.split()[0] == "0" for line in lines)


def _stamp(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
