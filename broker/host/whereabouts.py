"""The user's home and the working directory, of which neither need be there."""

import os
import pwd
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


def working_directory() -> Path:
    """Where we were started, or NOWHERE where that has been deleted since. Never raises."""
    try:
        return Path.cwd()
    except OSError:
        return NOWHERE
