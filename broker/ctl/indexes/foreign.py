"""Other programs' settings files, read as far as they can be: what cannot says nothing."""

import configparser
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def table(path: Path, *keys: str) -> dict[str, Any]:
    """The table under these keys of a TOML file; empty where there is none."""
    try:
        # uv (0.13.8, run) reads a file that an editor began with a byte order mark; tomllib does not.
        found: Any = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return inner(found, *keys)


def inner(found: object, *keys: str) -> dict[str, Any]:
    """The table under these keys of another; empty where one of them is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def tables(found: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """The tables of an array of tables, as far as they are some."""
    listed = found.get(key)
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict):
            yield each


def sections(path: Path) -> dict[str, dict[str, str]]:
    """The sections of an INI file (RawConfigParser, as pip and twine read theirs), without its defaults."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text("utf-8"))
        return {section: dict(parser.items(section)) for section in parser.sections()}
    except (OSError, ValueError, configparser.Error):
        return {}
