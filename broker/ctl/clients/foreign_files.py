"""Settings files of other programs, read as far as they can be: a file that cannot be read has no settings.

`ForeignFile.line` finds where a value is written: tomllib and configparser keep no positions, and
`config.toml_lines` knows the broker's own tables only.
"""

import configparser
import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from broker.ctl.clients.client_index import Place
from broker.ctl.clients.settings_text import SettingsText, first_of, ini_text, sections, toml_text
from broker.ctl.clients.time_limit import TooSlowError, at_most
from broker.host.trusted_file import MissingFile, UnreadableFile, UntrustedFile, read

FILE_BYTES = 1 << 20
"""The largest pyproject.toml of a monorepo has about 200 kB."""

FILE_S = 2.0
"""A file that takes longer is on a disk that hangs."""

_HEAD = re.compile(r"\s*\[\[?\s*([^\[\],]+?)\s*\]\]?\s*([#;].*)?$")
_COMMENT = ("#", ";")


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """A settings file's content, empty where there is none, and its lines.

    `failure` says, after a colon, why a file that is there cannot be read; it quotes nothing of it.
    `is_malformed`: whoever else reads it refuses it, too.
    """

    path: Path
    content: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    is_there: bool = False
    failure: str | None = None
    is_of_another_user: bool = False
    is_malformed: bool = False

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

    def text(self, place: Place) -> str:
        """The line at a place of this file; empty where that is not known. A script's is as TOML has it."""
        return "" if place.line is None else self.lines[place.line - 1].strip().removeprefix("# ")

    def place(self, key: str, value: str, head: str = "", number: int = 0) -> Place:
        """The place of a value, as `line` finds it."""
        return Place(self.path, self.line(key, value, head, number))


def toml_file(path: Path, owners: Collection[int] | None = None) -> ForeignFile:
    """A TOML file, empty where it cannot be read or belongs to none of these uids."""
    return _file(path, owners, toml_text)


def ini_file(path: Path) -> ForeignFile:
    """An INI file, empty where it cannot be read."""
    return _file(path, None, ini_text)


def text_file(path: Path, owners: Collection[int] | None = None) -> ForeignFile:
    """A file of which others read as much as they can: whether it is there, and why that is nothing."""
    try:
        read(path, 1, owners=owners, beginning=True)
    except MissingFile:
        return ForeignFile(path)
    except UnreadableFile as error:
        return ForeignFile(path, is_there=True, failure=error.told_of(path))
    return ForeignFile(path, is_there=True)


def beginning_of(path: Path, owners: Collection[int] | None) -> str:
    """The beginning of a text file; empty where it cannot be read or belongs to none of these uids."""
    try:
        return read(path, FILE_BYTES, owners=owners, beginning=True).decode("utf-8-sig", errors="replace")
    except UnreadableFile:
        return ""


def ini_within(file: ForeignFile, text: object) -> ForeignFile:
    """The INI file that a text of another file is; empty where it is none."""
    try:
        return replace(file, content=sections(text) if isinstance(text, str) else {})
    except configparser.Error:
        return replace(file, content={})


def nearest_toml(directory: Path, name: str) -> ForeignFile:
    """The TOML file of this name that is nearest: here or in a folder above; empty where there is none.

    Those of another user are passed over (`owners_of_project`).
    """
    owners = owners_of_project(directory)
    files = (toml_file(each / name, owners) for each in (directory, *directory.parents))
    nearest = (each for each in files if each.is_there and not each.is_of_another_user)
    return next(nearest, ForeignFile(directory / name))


def matching(directory: Path, pattern: str) -> list[Path]:
    """What matches below the directory, sorted and not all of too many; none where it cannot be looked at."""
    try:
        return sorted(first_of(directory.glob(pattern)))
    except (OSError, ValueError, NotImplementedError):  # the last two of a pattern that is none
        return []


def owners_of_project(directory: Path) -> frozenset[int]:
    """Whose files count as a project's: this user's, root's, and those of the owner of the directory.

    The last, for a container's root works in a checkout of another uid. Anybody may put a file into a folder
    above it, such as /tmp.
    """
    owners = {os.geteuid(), 0}
    with contextlib.suppress(OSError, ValueError):
        owners.add(directory.stat().st_uid)
    return frozenset(owners)


def inner(found: object, *keys: str) -> dict[str, Any]:
    """The table under these keys of another; empty where one of them is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def tables(found: Mapping[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables of an array of tables, each with its number from 0; other elements are left out."""
    listed = found.get(key)
    for number, each in first_of(enumerate(listed if isinstance(listed, list) else ())):
        if isinstance(each, dict):
            yield number, each


def _head_of(line: str) -> str | None:
    """The table that a line begins, its keys joined by dots; None for any other line."""
    head = _HEAD.match(line)
    return None if head is None else ".".join(part.strip().strip("\"'") for part in head[1].split("."))


def _file(path: Path, owners: Collection[int] | None, parsed: Callable[[bytes], SettingsText]) -> ForeignFile:
    try:
        text = parsed(_bytes(path, owners))
    except (MissingFile, OSError):  # the latter of a folder that has just gone
        return ForeignFile(path)
    except UnreadableFile as error:
        is_foreign = isinstance(error, UntrustedFile)
        return ForeignFile(path, is_there=True, failure=error.told_of(path), is_of_another_user=is_foreign)
    return ForeignFile(
        path,
        text.content,
        text.lines,
        is_there=True,
        failure=text.failure,
        is_malformed=text.is_malformed,
    )


def _bytes(path: Path, owners: Collection[int] | None) -> bytes:
    """Raises UnreadableFile, also where the folder belongs to none of the owners."""
    try:
        with at_most(FILE_S) as is_own_limit:
            content = read(path, FILE_BYTES, owners=owners)
    except TooSlowError:
        if not is_own_limit:
            raise
        raise UnreadableFile(path, f"takes longer than {FILE_S:g} s to read") from None
    if owners is not None and (uid := path.parent.stat().st_uid) not in owners:
        raise UntrustedFile(path.parent, f"belongs to another user (uid {uid})")
    return content
