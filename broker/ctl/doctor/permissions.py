"""Files and folders that others could read or write, with the chmod that closes them."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import token_broker_client as client

from broker.ctl.doctor.context import Room
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.setup.sandbox_paths import named_files

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def permissions_are_tight(room: Room) -> Iterator[Finding]:
    """Nobody else can write the configuration, read a secret, or get at the socket."""
    paths = room.places.configuration
    for path in (paths.user.parent, paths.user):
        yield from _open(room, path, OTHERS_WRITE, "written", "go-w")
    for path in (paths.env, *_secret_files(room)):
        yield from _open(room, path, OTHERS, "read", "go-rwx")
    yield from _open_socket_folder(room)


def _open(room: Room, path: Path, bits: int, what: str, change: str) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & bits:
        closed = stat.S_IMODE(mode) & ~bits
        said = f"{room.places.shown(path)} can be {what} by others (mode {stat.S_IMODE(mode):04o})"
        yield problem("permissions", said, f"chmod {change} {quote(str(path))}", lambda: path.chmod(closed))


def _open_socket_folder(room: Room) -> Iterator[Finding]:
    """Only the folder that the broker makes itself is closed; another one is left as it is."""
    try:
        folder = str(Path(client.socket_path()).parent)
    except client.BrokerError:
        return
    for finding in _open(room, Path(folder), OTHERS, "read", "go-rwx"):
        if client.is_own_place(folder):
            yield finding
            continue
        base = folder if os.access(folder, os.W_OK) else tempfile.gettempdir()
        said, _, repair = client.wants_own_folder(base, finding.said).partition("; run: ")
        yield problem("permissions", said, repair)


def _secret_files(room: Room) -> Iterator[Path]:
    for feed in room.configured.config.feeds:
        for path in named_files(feed.own_keys):
            if not path.startswith(("/run/secrets/", "/var/run/secrets/")):
                yield room.places.expanded(path)
