"""Settings files of other programs, read as far as they can be: a file that cannot be read has no settings.

`ForeignFile.line` finds where a value is written: tomllib and configparser keep no positions, and
`config.toml_lines` knows the broker's own tables only.
"""

import configparser
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.ctl.clients.client_index import Place

_LINE = re.compile(r"\bline:? +([0-9]+)")
"""Where tomllib and configparser say that the fault is, before they quote the file."""

_HEAD = re.compile(r"\s*\[\[?\s*([^\[\],]+?)\s*\]\]?\s*([#;].*)?$")
_COMMENT = ("#", ";")


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """A settings file's content, empty where there is none, and its lines."""

    path: Path
    content: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()

    def table(self, *keys: str) -> dict[str, Any]:
        """The table under these keys; empty where there is none."""
        return inner(self.content, *keys)

    def line(self, key: str, value: str, head: str = "", number: int = 0) -> int | None:
        """The line, from 1, of `value` at `key` in the table `head`, the array's one of that `number` from 0.

        Where the table is written in another way, the first line that holds the value; None without any.
        """
        spelt = re.compile(
            rf"(^|[\s{{,]|[\"']){re.escape(key).replace('-', '[-_]')}[\"']?\s*[=:]", re.IGNORECASE
        )
        heads = [at for at, line in enumerate(self.lines) if _head_of(line) is not None]
        ours = [at for at in heads if _head_of(self.lines[at]) == head]
        start = ours[number] if number < len(ours) else 0
        end = (
            next((at for at in heads if at > start), len(self.lines)) if ours or not head else len(self.lines)
        )
        begun = next((at for at in range(start, end) if spelt.search(self.lines[at])), start)
        for span in (range(begun, end), range(len(self.lines))):
            for at in span:
                if value in self.lines[at] and not self.lines[at].lstrip().startswith(_COMMENT):
                    return at + 1
        return None

    def place(self, key: str, value: str, head: str = "", number: int = 0) -> Place:
        """The place of a value, as `line` finds it."""
        return Place(self.path, self.line(key, value, head, number))


def toml_file(path: Path) -> ForeignFile:
    """A TOML file, empty where it cannot be read."""
    try:
        text = _text_of_toml(path)
        return ForeignFile(path, tomllib.loads(text), tuple(text.splitlines()))
    except (OSError, ValueError):
        return ForeignFile(path)


def ini_file(path: Path) -> ForeignFile:
    """An INI file (RawConfigParser, as pip and twine read theirs) as sections, without its defaults."""
    try:
        text = path.read_text("utf-8")
        parser = _parsed(text)
    except (OSError, ValueError, configparser.Error):
        return ForeignFile(path)
    content = {section: dict(parser.items(section)) for section in parser.sections()}
    return ForeignFile(path, content, tuple(text.splitlines()))


def inner(found: object, *keys: str) -> dict[str, Any]:
    """The table under these keys of another; empty where one of them is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def tables(found: Mapping[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables of an array of tables, each with its number from 0; other elements are left out."""
    listed = found.get(key)
    for number, each in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(each, dict):
            yield number, each


def complaint(path: Path, *, is_toml: bool) -> str | None:
    """Why a file cannot be read, without quoting it; None where it can be read, or is not there."""
    try:
        _ = tomllib.loads(_text_of_toml(path)) if is_toml else _parsed(path.read_text("utf-8"))
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


def _head_of(line: str) -> str | None:
    """The table that a line begins, its keys joined by dots; None for any other line."""
    head = _HEAD.match(line)
    return None if head is None else ".".join(part.strip().strip("\"'") for part in head[1].split("."))


def _text_of_toml(path: Path) -> str:
    # uv (0.13.8, run) reads a file that an editor began with a byte order mark; tomllib does not.
    return path.read_text("utf-8-sig")


def _parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser
