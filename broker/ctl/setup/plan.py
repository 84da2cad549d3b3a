"""A step of the set-up as it is planned: what will be written, linked and moved, and the line about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum
from pathlib import Path

from broker.ctl.setup import file_writing
from broker.ctl.setup.undo_log import UndoLog


class StepMark(StrEnum):
    """How a step stands: done, a person may want to do something, or something is in the way."""

    DONE = "\N{CHECK MARK}"
    OPEN = "\N{MIDDLE DOT}"
    WRONG = "\N{BALLOT X}"


@dataclass(frozen=True, slots=True)
class Write:
    """A file's new text; `line` is the only new line of it in a file of somebody else's."""

    path: Path
    text: str
    mode: int = 0o644
    line: str | None = None

    def is_done(self) -> bool:
        """True when the file is as it should be."""
        return file_writing.content_of(self.path) == self.text.encode()

    def do(self, journal: UndoLog) -> None:
        """Write it."""
        journal.write(self.path, self.text, self.mode, self.line)

    def diff(self, shown: str) -> str:
        """What changes, as `diff -u` would show it."""
        before = file_writing.text_of(self.path).splitlines(keepends=True)
        after = self.text.splitlines(keepends=True)
        return "".join(line.rstrip("\n") + "\n" for line in unified_diff(before, after, shown, shown, n=2))


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; whatever is in its place is moved to `away` before."""

    path: Path
    target: Path
    away: Path

    def is_done(self) -> bool:
        """True when the link leads there."""
        return self.path.is_symlink() and self.path.readlink() == self.target

    def do(self, journal: UndoLog) -> None:
        """Make it."""
        if self.path.is_symlink() and not self.path.exists():
            self.path.unlink()  # it led nowhere: an installation of ours that is gone, say
        elif self.path.is_symlink() or self.path.exists():
            journal.move(self.path, self.away)
        journal.link(self.path, self.target)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that must be there before something is put into it."""

    path: Path

    def is_done(self) -> bool:
        """True when it is there."""
        return self.path.is_dir()

    def do(self, journal: UndoLog) -> None:
        """Make it."""
        journal.make_folder(self.path)


Change = Write | Link | Folder


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the screen, and the changes behind it. `hint` is what a person may type."""

    topic: str
    said: str
    changes: Sequence[Change] = ()
    mark: StepMark = StepMark.DONE
    hint: str | None = None

    @property
    def pending(self) -> list[Change]:
        """The changes that are not as they should be yet."""
        return [change for change in self.changes if not change.is_done()]
