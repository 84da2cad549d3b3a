"""The indexes that uv would use in a directory, with what each file says of their user names."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.ctl.indexes import Index as Named
from broker.ctl.setup.places import Places


@dataclass(frozen=True, slots=True)
class Index:
    """One index. `name` is empty where uv's file gives it none."""

    file: Path
    name: str
    url: str
    authenticate: str | None
    username: bool

    @property
    def shown(self) -> str:
        """What a person calls it."""
        return f'index "{self.name}"' if self.name else "an index without a name"


def indexes(directory: Path, places: Places) -> Iterator[Index]:
    """Each index of the project files from `directory` up to the root, then of the user's uv.toml."""
    for folder in (directory, *directory.parents):
        for path, tables in ((folder / "uv.toml", ()), (folder / "pyproject.toml", ("tool", "uv"))):
            yield from _of_file(path, tables, places)
    yield from _of_file(places.uv_settings, (), places)


def _of_file(path: Path, tables: tuple[str, ...], places: Places) -> Iterator[Index]:
    try:
        found: Any = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return
    for table in tables:
        found = found.get(table, {}) if isinstance(found, dict) else {}
    listed = found.get("index") if isinstance(found, dict) else None
    for index in listed if isinstance(listed, list) else ():
        if isinstance(index, dict) and isinstance(index.get("url"), str):
            name = str(index.get("name", ""))
            variable = Named(name, "").variable
            named = _has_username(index["url"]) or bool(name and variable in places.environ)
            yield Index(path, name, index["url"], index.get("authenticate"), named)


def _has_username(url: str) -> bool:
    try:
        return bool(urlsplit(url).username)
    except ValueError:
        return False
