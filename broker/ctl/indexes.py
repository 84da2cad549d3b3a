"""The named indexes that uv would use here, as far as their URLs say nothing of a user name.

uv asks no keyring about files outside an index's root unless it knows a user name for the index
(uv 0.13.8, `uv sync --frozen`); `UV_INDEX_<NAME>_USERNAME` gives it one without touching the project.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Index:
    """A named index of uv's."""

    name: str
    url: str

    @property
    def variable(self) -> str:
        """The variable that uv reads the index's user name from (uv's IndexName::to_env_var)."""
        return f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', self.name.upper())}_USERNAME"


def indexes_without_username(directory: Path, environ: Mapping[str, str]) -> Iterator[Index]:
    """Each named index that uv would find from `directory`, nearest first, one per name.

    Left out: indexes whose URL has a user name, that are no URL or that say `authenticate = "never"`, and
    those whose variables are set. Files that cannot be read are uv's to complain about.
    """
    seen: set[str] = set()
    for index in (*_of_environment(environ), *_of_files(directory, environ)):
        if index.variable in seen:
            continue
        seen.add(index.variable)
        password = index.variable.removesuffix("USERNAME") + "PASSWORD"
        if index.variable not in environ and password not in environ and _is_bare(index.url):
            yield index


def _is_bare(url: str) -> bool:
    try:
        split = urlsplit(url)
    except ValueError:
        return False
    return split.scheme in {"http", "https"} and not split.username


def _of_environment(environ: Mapping[str, str]) -> Iterator[Index]:
    for entry in f"{environ.get('UV_INDEX', '')} {environ.get('UV_DEFAULT_INDEX', '')}".split():
        name, equals, url = entry.partition("=")
        if equals and _NAME.fullmatch(name):
            yield Index(name, url)


def _of_files(directory: Path, environ: Mapping[str, str]) -> Iterator[Index]:
    """Project files from here up to the root, then the user's. A workspace's root lies on the way."""
    for folder in (directory, *directory.parents):
        yield from _of_tables(_read(folder / "uv.toml"))
        yield from _of_tables(_read(folder / "pyproject.toml").get("tool", {}).get("uv", {}))
    home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    for file in (environ.get("UV_CONFIG_FILE"), f"{home}/uv/uv.toml"):
        if file:
            yield from _of_tables(_read(Path(file)))


def _of_tables(settings: Any) -> Iterator[Index]:  # noqa: ANN401 - whatever a file holds
    tables = settings.get("index") if isinstance(settings, dict) else None
    for table in tables if isinstance(tables, list) else ():
        match table:
            case {"authenticate": "never"}:
                continue
            case {"name": str(name), "url": str(url)} if _NAME.fullmatch(name):
                yield Index(name, url)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    tool = found.get("tool")
    return found if tool is None or isinstance(tool, dict) else {}
