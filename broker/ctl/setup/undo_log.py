"""The undo log: every change that setup makes, written down before it is made, and undone in reverse.

Beside it is `undo.sh`, which undoes the same with a shell alone, for users who removed token-broker first.

The log's own folder, and those above it, are changes too. While they are made, and while they are removed,
the log lies in a folder beside the outermost of them, and is renamed from there and to there: so it is on the
disk as long as anything else is.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any, Self

from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.service import systemd
from broker.ctl.setup.changes import STORED, Change
from broker.ctl.setup.file_changes import PRIVATE, Folder, Write
from broker.ctl.setup.link_changes import Link, Move
from broker.ctl.setup.setup_lock import alone
from broker.ctl.setup.undo_rules import follow, script

NAME = "journal.json"
SCRIPT = "undo.sh"
PATHS = {"path", "to"}

SCRIPT_HEAD = """\
#!/bin/sh
# Undoes what `brokerctl setup` did here. It needs only a shell, not token-broker.
# A file that was changed since then stays as it is, and its name is printed.
here=$(dirname "$0")
"""
SCRIPT_END = """\
systemctl --user daemon-reload 2>/dev/null
[ "$(id -u)" != 0 ] || systemctl daemon-reload 2>/dev/null
rm -r "$here"
"""


class UndoLog:
    """The changes so far, kept in `folder`. Raises CommandError when the log cannot be read or written.

    New folders have `folder_mode`. Paths are written down as the machine at `root` sees them: an image can
    undo it itself once it runs.
    """

    def __init__(
        self, folder: Path, folder_mode: int = user_files.NEW_FOLDER, root: Path = Path("/")
    ) -> None:
        self.folder = folder
        self.folder_mode = folder_mode
        self._root = root
        self.changes = self._read(folder)

    @classmethod
    @contextmanager
    def alone(
        cls,
        folder: Path,
        home: Path,
        folder_mode: int = user_files.NEW_FOLDER,
        root: Path = Path("/"),
    ) -> Iterator[Self]:
        """The log, while no other brokerctl changes what it is about, the user's `home` or a machine's root.

        Raises CommandError when another one does not end. What was left half done with the log's own folders
        is finished first.
        """
        with alone(home):
            cls._finish(folder, root)
            yield cls(folder, folder_mode, root)

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to undo."""
        return not self.changes

    @property
    def is_of_image(self) -> bool:
        """True when it is not about the machine that runs us."""
        return self._root != Path("/")

    def begin(self) -> None:
        """Make the log's own folder; the first records are of the folders that this needed."""
        if self.folder.is_dir():
            return
        folders: list[Change] = [Folder(each) for each in user_files.missing_folders(self.folder.parent)]
        aside = _aside(self.folder, folders)
        user_files.make_folders(aside, self.folder_mode)
        self.changes = folders
        self._save(aside)
        user_files.make_folders(self.folder.parent, self.folder_mode)
        user_files.move(aside, self.folder)

    def note(self, *changes: Change) -> None:
        """Write down changes that are about to be done."""
        self.begin()
        new = [change for change in changes if change not in self.changes]
        if new:
            self.changes += new
            self._save(self.folder)

    def note_last(self, move: Move, *others: Change) -> None:
        """The same for a move and what is done on top of it: they replace records of the same, and are undone
        first.
        """
        self.begin()
        earlier = [each for each in self.changes if isinstance(each, Move) and each.path == move.path]
        self.changes = [each for each in self.changes if each not in {*earlier, *others}] + [move, *others]
        self._save(self.folder)

    def forget(self, *changes: Change) -> None:
        """Drop the records of changes that are undone already."""
        self.changes = [each for each in self.changes if each not in changes]
        self._save(self.folder)

    def written(self, path: Path) -> Write | None:
        """The last record of a write to this file."""
        return next((each for each in reversed(self._writes()) if each.path == path), None)

    def links(self, path: Path) -> list[Link]:
        """The records of links at this path."""
        return [each for each in self.changes if isinstance(each, Link) and each.path == path]

    def next_number(self) -> int:
        """The number of the next write."""
        return 1 + max((each.number for each in self._writes()), default=0)

    def _writes(self) -> list[Write]:
        return [each for each in self.changes if isinstance(each, Write)]

    def take_back(self, path: Path) -> None:
        """Undo the writes to one file; a file that was changed since stays."""
        for record in self._writes()[::-1]:
            if record.path == path and not _followed(record, self.folder):
                self.forget(record)

    def undo(self) -> list[str]:
        """Undo everything, folders last; returns what the user should know.

        Raises CommandError when something cannot be undone; then the log stays, and all else is undone.
        """
        folders, others = _undo_order(self.changes)
        said: list[str] = []
        failure: CommandError | None = None
        for change in others:
            try:
                said += _followed(change, self.folder)
            except CommandError as failed:
                failure = failure or failed
        systemd.systemctl("daemon-reload")
        if failure is not None:
            raise failure
        self.changes = folders[::-1]
        self._save(self.folder)
        for folder in folders:
            _followed(folder, self.folder)
        aside = _aside(self.folder, self.changes)
        with contextlib.suppress(OSError):  # another file system, say: then its folders may stay
            self.folder.rename(aside)
        _end(aside if aside.is_dir() else self.folder, folders)
        self.changes = []
        return said

    @classmethod
    def _finish(cls, folder: Path, root: Path) -> None:
        """Undo what a set-up or a teardown that was killed left of the log's own folders."""
        for above in folder.parents:
            aside = above / _aside_name(folder)
            if user_files.is_own_folder(aside):
                log = cls(folder, root=root)
                _end(aside, _undo_order(log._read(aside))[0])

    def _read(self, folder: Path) -> list[Change]:
        text = user_files.text_of(folder / NAME)
        try:
            return [_change(found, self._root) for found in json.loads(text)] if text else []
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CommandError(
                f"{folder / NAME} is damaged", hint=f"sh {quote(str(folder / SCRIPT))}"
            ) from None

    def _save(self, folder: Path) -> None:
        seen = [_moved(change, self.seen) for change in self.changes]
        listed = json.dumps([_record(change) for change in seen], indent=1, default=str)
        user_files.put(folder / NAME, listed.encode(), PRIVATE)
        user_files.put(folder / SCRIPT, self._script().encode(), PRIVATE)

    def _script(self) -> str:
        word = cache(self._word)
        folders, others = (
            "\n".join(script(each.undoing(self.folder), word) for each in part)
            for part in _undo_order(self.changes)
        )
        return f"{SCRIPT_HEAD}{others}\n{SCRIPT_END}{folders}\n"

    def _word(self, path: Path) -> str:
        if path.parent == self.folder:
            return f'"$here"/{quote(path.name)}'
        return quote(str(self.seen(path)))

    def seen(self, path: Path) -> Path:
        """The path as the machine at `root` sees it; one that leads out of it stays."""
        if not self.is_of_image:
            return path
        return Path("/") / path.relative_to(self._root) if path.is_relative_to(self._root) else path


def _aside_name(folder: Path) -> str:
    return f".token-broker-{folder.name}"


def _aside(folder: Path, folders: Sequence[Change]) -> Path:
    """Where the log lies while these folders above its own are made or removed."""
    above = [each.path for each in folders if isinstance(each, Folder) and folder.is_relative_to(each.path)]
    return (min(above, default=folder)).parent / _aside_name(folder)


def _end(aside: Path, folders: Sequence[Change]) -> None:
    for folder in folders:
        _followed(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)
    for folder in folders:
        _followed(folder, aside)  # where the log could not be moved out of them


def _followed(change: Change, folder: Path) -> list[str]:
    try:
        return follow(change.undoing(folder))
    except OSError as error:
        raise user_files.trouble(getattr(change, "path", folder), "put back", error) from None


def _undo_order(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Folders, which must be empty by then, and everything else; of each the last one first."""
    latest_first = changes[::-1]
    folders: list[Change] = [change for change in latest_first if isinstance(change, Folder)]
    return folders, [change for change in latest_first if not isinstance(change, Folder)]


def _record(change: Change) -> dict[str, Any]:
    name = next(name for name, (kind, _) in STORED.items() if kind is type(change))
    fields = {field: getattr(change, field) for field in STORED[name][1]}
    return {"kind": name, **{field: value for field, value in fields.items() if value is not False}}


def _change(found: dict[str, Any], root: Path) -> Change:
    kind, fields = STORED[found.pop("kind")]
    if not found.keys() <= set(fields):
        raise KeyError
    change = kind(**{key: Path(value) if key in PATHS else value for key, value in found.items()})
    return _moved(change, lambda path: root / path.relative_to("/"))


def _moved(change: Change, to: Callable[[Path], Path]) -> Change:
    """The change with the paths of its record mapped."""
    paths: dict[str, Any] = {key: to(getattr(change, key)) for key in PATHS if hasattr(change, key)}
    return replace(change, **paths)
