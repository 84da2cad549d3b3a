"""The programs called `keyring` on the user's PATH, and whether the first is ours. Looks only."""

import contextlib
import os
from pathlib import Path

import token_broker_client as client

from broker.ctl.setup.user_dirs import UserDirs
from broker.host.start_failure import why_not_run
from broker.host.trusted_file import UnreadableFile, read

SHIM = "keyring-shim"
REPLACE = "brokerctl setup --replace"

SLOW = (
    "the shim is the slow one, in Python, which starts an interpreter for each look-up: its wheel was built "
    "without a C compiler; install one (gcc), and make the wheels anew"
)
REBUILD = "uv build --all-packages --out-dir wheels"

_SCRIPT_BYTES = 4096
"""The Python shim is no longer than this."""


def is_ours(keyring: Path) -> bool:
    """True for the shim of this or another installation of token-broker."""
    return keyring.resolve().name == SHIM


def is_slow(shim: Path) -> bool:
    """True for the shim that is a Python script (a look-up takes more than 20 times as long)."""
    with contextlib.suppress(UnreadableFile):
        beginning = read(shim.resolve(), _SCRIPT_BYTES, beginning=True)
        return beginning.startswith(b"#!") and b"token_broker_client" in beginning
    return False


def keyrings(user_dirs: UserDirs) -> list[Path]:
    """Every `keyring` on PATH, the first one first."""
    found = (
        user_dirs.__class__(user_dirs.home, {"PATH": str(folder)}).program("keyring")
        for folder in user_dirs.search_path()
    )
    return [each for each in found if each is not None]


def first_keyring(user_dirs: UserDirs) -> Path | None:
    """The `keyring` that clients find now, or would if ours were there."""
    for folder in user_dirs.search_path():
        if folder == user_dirs.link.parent:
            return user_dirs.link
        found = user_dirs.__class__(user_dirs.home, {"PATH": str(folder)}).program("keyring")
        if found is not None:
            return found
    return None


def what_hides_the_shim(user_dirs: UserDirs) -> tuple[str, str] | None:
    """Why clients do not find the shim, and what to type; None where they do."""
    link = user_dirs.link
    found = keyrings(user_dirs)
    if found and is_ours(found[0]):
        return None
    said = f"{found[0]} is the first keyring on PATH, not the shim" if found else "no keyring is on PATH"
    if not link.exists():
        return said, "brokerctl setup"
    if is_ours(link) and not os.access(link, os.X_OK):
        return why_not_run(str(link.resolve())), "brokerctl setup"
    return said, line_that_puts_first(link.parent) if is_ours(link) else REPLACE


def line_that_puts_first(folder: Path) -> str:
    """The line for bash, zsh, dash and fish; without quotes fish and dash take each blank for an end."""
    return f'export PATH={client.shell_word(str(folder))}:"$PATH"'
