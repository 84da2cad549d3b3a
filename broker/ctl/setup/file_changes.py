"""The folders that setup makes and the files that it writes, and how they are undone.

Undoing never destroys a later edit: a file that was changed since stays as it is.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from broker.ctl import user_files
from broker.ctl.setup.undo_rules import (
    Act,
    Choice,
    Missing,
    PutBack,
    Remove,
    RemoveFolder,
    Rule,
    Same,
    Say,
    TakeOut,
    There,
)

if TYPE_CHECKING:
    from broker.ctl.setup.undo_log import UndoLog

PRIVATE = 0o600

Shown = Callable[[Path], str]
"""A path as the user writes it."""


def temporary_of(path: Path) -> Path:
    """The name beside a path under which setup prepares what will be there, and undoing what was.

    It follows from the path, so that what a killed process left is found by the record of the change.
    """
    return path.with_name(f".{path.name}.token-broker")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that must be there."""

    path: Path

    def is_done(self) -> bool:
        """True when it is there."""
        return self.path.is_dir()

    def planned(self, shown: Shown) -> str:
        """What setup would do, as its plan says it."""
        return f"make   {shown(self.path)}"

    def do(self, log: "UndoLog") -> None:
        """Make it, and those above it that are missing; each is a record of its own. Raises CommandError."""
        log.begin()
        log.note(*(Folder(missing) for missing in user_files.missing_folders(self.path)))
        user_files.make_folders(self.path, log.folder_mode)

    def undoing(self, _: Path) -> list[Choice]:
        """Remove it if it is empty."""
        return [[Rule((), (RemoveFolder(self.path),))]]


@dataclass(frozen=True, slots=True)
class Write:
    """A file's new text; `line` is the one line that setup adds where the file is not its own.

    The undo log's folder keeps the text as `NUMBER.wrote`, until it is in the file as `NUMBER.next`, and what
    was there before as `NUMBER.before`: that file itself where it can be linked, as the new text is another.
    In a record `mode` is the mode to restore, and `text` is empty.
    """

    path: Path
    text: str = ""
    mode: int = 0o644
    line: str | None = None
    number: int = 0

    def is_done(self) -> bool:
        """True when the file has this text."""
        return user_files.content_of(self.path) == self.text.encode()

    def planned(self, shown: Shown) -> str:
        """What setup would do, as its plan says it."""
        return f"write  {shown(self.path)}"

    def diff(self, shown: str) -> str:
        """What changes, as `diff -u` would show it."""
        before = user_files.text_of(self.path).splitlines(keepends=True)
        after = self.text.splitlines(keepends=True)
        return "".join(line.rstrip("\n") + "\n" for line in unified_diff(before, after, shown, shown, n=2))

    def do(self, log: "UndoLog") -> None:
        """Write it; a second write over the first one's text keeps its record. Raises CommandError."""
        Folder(self.path.parent).do(log)
        record = log.written(self.path)
        if record is None or not record.has_its_text(log.folder):
            mode = user_files.mode_of(self.path) or self.mode
            record = replace(self, text="", mode=mode, number=log.next_number())
            _keep(self.path, record.kept(log.folder, "before"))
        coming = record.kept(log.folder, "next")
        user_files.put(coming, self.text.encode(), PRIVATE)
        log.note(record)
        user_files.put(self.path, self.text.encode(), self.mode, self._temporary())
        user_files.move(coming, record.kept(log.folder, "wrote"))

    def kept(self, folder: Path, which: str) -> Path:
        """The copy in the undo log's folder of what was there `before`, or of what setup `wrote`."""
        return folder / f"{self.number}.{which}"

    def undoing(self, folder: Path) -> list[Choice]:
        """Put back what was there before."""
        real, temporary, before = self.path.resolve(), self._temporary(), self.kept(folder, "before")
        changed: Act = Say("{} was changed since and stays", (self.path,))
        if self.line is not None:
            changed = TakeOut(self.path, real, temporary, self.line)
        rules = [Rule((Missing(self.path, by_link=True),)), Rule((Same(self.path, before),))]
        for ours in self._texts(folder):
            back = PutBack(before, real, temporary, self.mode)
            rules.append(Rule((Same(self.path, ours), There(before)), (back,)))
            rules.append(Rule((Same(self.path, ours),), (Remove(real),)))
        return [
            [Rule((There(temporary),), (Remove(temporary),))],
            [*rules, Rule((), (changed,))],
        ]

    def has_its_text(self, folder: Path) -> bool:
        """True when the file is as setup wrote it."""
        return any(Same(self.path, ours).holds() for ours in self._texts(folder))

    def _temporary(self) -> Path:
        return temporary_of(self.path.resolve())

    def _texts(self, folder: Path) -> tuple[Path, Path]:
        return self.kept(folder, "wrote"), self.kept(folder, "next")


@dataclass(frozen=True, slots=True)
class Scratch:
    """A file that setup needs for a moment. Its folder is there."""

    path: Path

    def undoing(self, _: Path) -> list[Choice]:
        """Remove it, and what it is written by."""
        return [[Rule((There(each),), (Remove(each),))] for each in (temporary_of(self.path), self.path)]


def _keep(path: Path, kept: Path) -> None:
    """Keep what is at the path now; where nothing is, nothing is kept. Raises CommandError."""
    try:
        kept.unlink(missing_ok=True)  # of a set-up that was killed before it noted this one
        with contextlib.suppress(FileNotFoundError):
            try:
                os.link(path.resolve(), kept)
            except FileNotFoundError:
                raise
            except OSError:  # on another file system, say, or not our file
                shutil.copy2(path.resolve(), kept)
    except OSError as error:
        raise user_files.trouble(path, "kept", error) from None
