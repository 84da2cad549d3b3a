"""Other programs' settings files, read as far as they can be: what cannot says nothing."""

import configparser
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LINE = re.compile(r"\bline:? +([0-9]+)")
"""Where tomllib and configparser say that the fault is, before they quote the file."""


def table(path: Path, *keys: str) -> dict[str, Any]:
    """The table under these keys of a TOML file; empty where there is none."""
    try:
        found: Any = _toml(path)
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
    try:
        parser = _ini(path)
        return {section: dict(parser.items(section)) for section in parser.sections()}
    except (OSError, ValueError, configparser.Error):
        return {}


def complaint(path: Path, *, is_toml: bool) -> str | None:
    """Why a file says nothing, without a word of it; None where it can be read, or is not there."""
    try:
        _ = _toml(path) if is_toml else _ini(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return (error.strerror or "it cannot be read").lower()
    except UnicodeDecodeError:
        return "it is not text"
    except (ValueError, configparser.Error) as error:
        line = _LINE.search(str(error))
        kind = "TOML" if is_toml else "an INI file"
        return f"it is not {kind} at line {line[1]}" if line else f"it is not {kind} to its end"
    return None


def _toml(path: Path) -> dict[str, Any]:
    # uv (0.13.8, run) reads a file that an editor began with a byte order mark; tomllib does not.
    return tomllib.loads(path.read_text("utf-8-sig"))


def _ini(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text("utf-8"))
    return parser
