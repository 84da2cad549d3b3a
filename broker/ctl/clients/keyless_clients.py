"""Clients that ask no keyring at all: what they say when a server wants a password, and where they look.

npm, cargo, git and curl. One that brought a password of its own is none of them.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from broker.ctl.clients.client_index import login_in
from broker.ctl.clients.foreign_files import inner, nearest_toml
from broker.ctl.clients.npmrc import npm_login_hosts, npm_registries
from broker.ctl.clients.settings_text import first_of
from broker.ctl.setup.user_dirs import UserDirs

REFUSALS = {
    "cargo": re.compile(r"authenticated registries require a credential-provider|no token found for"),
    "curl": re.compile(r"\(22\) The requested URL returned error: 401"),
    "git": re.compile(r"could not read Username for"),
    "npm": re.compile(r"\bE401\b"),
    "npx": re.compile(r"\bE401\b"),
}
"""What each says to a 401 when it had no password (npm 11.19, cargo 1.95, git 2.39, curl 7.88; tried)."""

NODE = ("npm", "npx")
CARGO_FILE = ".cargo/config.toml"
SPARSE = "sparse+"
_URL = re.compile(r"(?:\A|=)(https?://\S+)")
_OWN_LOGIN = ("-u", "--user", "-H", "--header", "--oauth2-bearer")
"""curl's options that bring one (curl(1))."""


def keyless_addresses(program: str, words: Sequence[str], directory: Path, user_dirs: UserDirs) -> list[str]:
    """Where such a client may have gone to without a password: by its words, then by its files."""
    if program == "curl" and any(word.startswith(_OWN_LOGIN) for word in words):
        return []
    found = [found[1] for word in words for found in [_URL.search(word)] if found is not None]
    if program == "cargo":
        found += _cargo_registries(directory)
    if program in NODE:
        found += npm_registries(directory, user_dirs)
        hosts = npm_login_hosts(directory, user_dirs)
        found = [each for each in found if urlsplit(each).hostname not in hosts]
    return [each for each in found if not login_in(each)[1]]


def _cargo_registries(directory: Path) -> Iterator[str]:
    """The registries of the nearest file (the Cargo book, "Configuration", `registries.<name>.index`)."""
    registries = nearest_toml(directory, CARGO_FILE).table("registries")
    for name in first_of(registries):
        index = inner(registries, name).get("index")
        if isinstance(index, str):
            yield index.removeprefix(SPARSE)
