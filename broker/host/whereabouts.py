"""The user's home, runtime directory and working directory, of which none need be there."""

import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

NOWHERE = Path("/nonexistent")
"""Debian's home of accounts without one: nothing is found below it."""


def home_of(environ: Mapping[str, str]) -> Path:
    """$HOME where it is absolute, else the account's home, else NOWHERE. Never raises.

    A relative one would be looked for below the working directory, which decides nothing.
    """
    named = environ.get("HOME", "")
    if not named.startswith("/"):
        try:
            named = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            named = ""
    return Path(named) if named.startswith("/") else NOWHERE


def own_runtime_directory(environ: Mapping[str, str]) -> str | None:
    """$XDG_RUNTIME_DIR where a folder made in it stays ours; None where another user could rename that, or
    where none can be made. Never raises.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    try:
        found = os.stat(runtime)  # noqa: PTH116 - a string, for sockets' paths are short
    except (OSError, ValueError):
        return None
    is_ours = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    is_usable = runtime.startswith("/") and os.access(runtime, os.W_OK | os.X_OK)
    return runtime if is_ours and is_usable else None


def working_directory() -> Path:
    """Where we were started, or NOWHERE where that has been deleted since. Never raises."""
    try:
        return Path.cwd()
    except OSError:
        return NOWHERE
