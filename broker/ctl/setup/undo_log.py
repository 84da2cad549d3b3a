"""The undo log: every change that setup makes, written down before it is made, and undone in reverse.

Beside it is `undo.sh`, which undoes the same with a shell alone, for users who removed token-broker first.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.service import systemd
from broker.ctl.setup.changes import PRIVATE, STORED, Change, Folder, Write

NAME = "journal.json"
SCRIPT = "undo.sh"
PATHS = {"path", "to"}

SCRIPT_HEAD = """\
#!/bin/sh
# Undoes what `brokerctl setup` did here. It needs only a shell, not token-broker.
# A file that was changed since then stays as it is, and its name is printed.
here=$(dirname "$0")
restore() { # FILE NUMBER LINE
    if [ ! -e "$1" ]; then
        :
    elif ! cmp -s "$1" "$here/$2.wrote"; then
        echo "$1 was changed since and stays${3:+; our line in it is: $3}"
    elif [ -e "$here/$2.before" ]; then
        cp -p "$here/$2.before" "$1"
    else
        rm "$1"
    fi
}
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
        self.changes: list[Change] = []
        text = user_files.text_of(folder / NAME)
        try:
            self.changes = [_change(found, root) for found in json.loads(text)] if text else []
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CommandError(f"{folder / NAME} is damaged", hint=f"sh {folder / SCRIPT}") from None

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to undo."""
        return not self.changes

    def begin(self) -> None:
        """Make the log's own folder; the first records are of the folders that this needed."""
        if not self.folder.is_dir():
            for made in user_files.make_folders(self.folder, self.folder_mode):
                if made != self.folder:
                    self.changes.append(Folder(made))
            self._save()

    def note(self, change: Change) -> None:
        """Write down a change that is about to be done."""
        self.begin()
        if change not in self.changes:
            self.changes.append(change)
            self._save()

    def written(self, path: Path) -> Write | None:
        """The first record of a write to this file."""
        return next((each for each in self._writes() if each.path == path), None)

    def next_number(self) -> int:
        """The number of the next write."""
        return 1 + max((each.number for each in self._writes()), default=0)

    def _writes(self) -> list[Write]:
        return [each for each in self.changes if isinstance(each, Write)]

    def take_back(self, path: Path) -> None:
        """Undo the writes to one file; a file that was changed since stays."""
        for record in self._writes():
            if record.path == path and record.undo(self.folder) is None:
                self.changes.remove(record)
                self._save()

    def undo(self) -> list[str]:
        """Undo everything, folders last; returns what the user should know."""
        folders, others = _undo_order(self.changes)
        said = [change.undo(self.folder) for change in others]
        systemd.systemctl("daemon-reload")
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in folders:
            folder.undo(self.folder)
        self.changes = []
        return [line for line in said if line is not None]

    def _save(self) -> None:
        seen = [_moved(change, self._seen) for change in self.changes]
        listed = json.dumps([_record(change) for change in seen], indent=1, default=str)
        user_files.put(self.folder / NAME, listed.encode(), PRIVATE)
        user_files.put(self.folder / SCRIPT, _script(seen).encode(), PRIVATE)

    def _seen(self, path: Path) -> Path:
        return Path("/") / path.relative_to(self._root)


def _undo_order(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Folders, which must be empty by then, and everything else; of each the last one first."""
    latest_first = changes[::-1]
    folders: list[Change] = [change for change in latest_first if isinstance(change, Folder)]
    return folders, [change for change in latest_first if not isinstance(change, Folder)]


def _script(changes: Sequence[Change]) -> str:
    folders, others = ("\n".join(each.script() for each in part) for part in _undo_order(changes))
    return f"{SCRIPT_HEAD}{others}\n{SCRIPT_END}{folders}\n"


def _record(change: Change) -> dict[str, Any]:
    name = next(name for name, (kind, _) in STORED.items() if kind is type(change))
    return {"kind": name, **{field: getattr(change, field) for field in STORED[name][1]}}


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
