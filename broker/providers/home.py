"""Whose home `~/` is: that of the environment which the configuration decides."""

from collections.abc import Mapping
from pathlib import Path

from broker.host.whereabouts import home_of


def expand(path: str, environ: Mapping[str, str]) -> Path:
    """The path with `~/` as the home that `environ` names, else the account's own."""
    if not path.startswith("~/"):
        return Path(path)
    return Path(home_of(environ), path.removeprefix("~/"))
