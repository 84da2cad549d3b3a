"""Whose home `~/` is: that of the environment which the configuration decides."""

from collections.abc import Mapping
from pathlib import Path


def expand(path: str, environ: Mapping[str, str]) -> Path:
    """The path with `~/` as the home that `environ` names, else the account's own."""
    if not path.startswith("~/"):
        return Path(path)
    return Path(environ.get("HOME") or Path.home(), path.removeprefix("~/"))
