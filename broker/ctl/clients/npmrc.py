"""Registries and passwords in npm's files: `//HOST/PATH/:_password`, `:_authToken` and `:_auth`, as Azure
DevOps tells to write them (its page "Connect your client: npm"). npm asks no keyring; the values are
never kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.ctl.clients.client_index import Place
from broker.ctl.setup.user_dirs import UserDirs
from broker.host.trusted_file import UnreadableFile, read

NPMRC = ".npmrc"
NPMRC_BYTES = 65536
"""One that is longer was not written by hand."""

_PASSWORD = re.compile(
    r"\s*//(?P<host>[^/\s:]+)(?:[^\s=]*):_(?:password|authToken|auth)\s*=\s*[\"']?(?P<value>\S+)"
)
_REGISTRY = re.compile(r"\s*(?:@[^\s:=]+:)?registry\s*=\s*[\"']?(?P<url>https?://[^\s\"']+)")


@dataclass(frozen=True, slots=True)
class NpmPassword:
    """One line with a password, and the host that it is for."""

    place: Place
    host: str


def npm_passwords(directory: Path, user_dirs: UserDirs) -> Iterator[NpmPassword]:
    """Every password of the project's file and the user's; none of a file that cannot be read.

    One that names a variable, `${NAME}`, is not in the file.
    """
    for path, text in _files(directory, user_dirs):
        for number, line in enumerate(text.splitlines(), 1):
            found = _PASSWORD.match(line)
            if found is not None and not found["value"].startswith("${"):
                yield NpmPassword(Place(path, number), found["host"])


def npm_registries(directory: Path, user_dirs: UserDirs) -> Iterator[str]:
    """The URL of every registry that these files name."""
    for _, text in _files(directory, user_dirs):
        yield from (found["url"] for found in map(_REGISTRY.match, text.splitlines()) if found is not None)


def npm_login_hosts(directory: Path, user_dirs: UserDirs) -> set[str]:
    """The hosts that npm has a password for, wherever that is held."""
    lines = (line for _, text in _files(directory, user_dirs) for line in text.splitlines())
    return {found["host"] for found in map(_PASSWORD.match, lines) if found is not None}


def _files(directory: Path, user_dirs: UserDirs) -> Iterator[tuple[Path, str]]:
    user = user_dirs.environ.get("NPM_CONFIG_USERCONFIG") or user_dirs.home / NPMRC
    for path in dict.fromkeys((directory / NPMRC, Path(user))):
        try:
            yield path, read(path, NPMRC_BYTES).decode()
        except (UnreadableFile, UnicodeDecodeError):
            continue
