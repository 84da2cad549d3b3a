"""Files and folders that others could read or write, with the chmod that closes them."""

import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import token_broker_client as client

from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.doctor.room import Room
from broker.ctl.setup.folders import named_files

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def permissions_are_tight(room: Room) -> Iterator[Finding]:
    """Nobody else can write the configuration, read a secret, or get at the socket."""
    paths = room.places.configuration
    for path in (paths.user.parent, paths.user):
        yield from _open(room, path, OTHERS_WRITE, "written", "go-w")
    private = [paths.env, *_secret_files(room), *_socket_folder()]
    for path in private:
        yield from _open(room, path, OTHERS, "read", "go-rwx")


def _open(room: Room, path: Path, bits: int, what: str, change: str) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & bits:
        closed = stat.S_IMODE(mode) & ~bits
        said = f"{room.places.shown(path)} can be {what} by others (mode {stat.S_IMODE(mode):04o})"
        yield problem("permissions", said, f"chmod {change} {quote(str(path))}", lambda: path.chmod(closed))


def _secret_files(room: Room) -> Iterator[Path]:
    for feed in room.configured.config.feeds:
        for path in named_files(feed.own_keys):
            if not path.startswith(("/run/secrets/", "/var/run/secrets/")):
                yield room.places.expanded(path)


def _socket_folder() -> list[Path]:
    try:
        return [Path(client.socket_path()).parent]
    except client.BrokerError:
        return []
