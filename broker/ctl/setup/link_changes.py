"""The links that setup makes, and the programs that it moves out of their way.

A program is never overwritten: it is renamed to where it is kept, and the link is made where nothing is.
Other programs change both later on: `uv tool upgrade` removes what is there and puts its own link
(`remove_entrypoints` and `install_executables` in astral-sh/uv, crates/uv/src/commands/tool/common.rs).
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.setup.file_changes import Folder, Shown, temporary_of
from broker.ctl.setup.undo_rules import (
    Act,
    Choice,
    Condition,
    Dangling,
    Leads,
    LinkBack,
    Missing,
    MoveBack,
    NoFolder,
    Remove,
    Rule,
    Same,
    Say,
    There,
    follow,
)
from broker.host.file_writing import move_file

if TYPE_CHECKING:
    from broker.ctl.setup.undo_log import UndoLog


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; a file or another link in its place is moved to `away` first."""

    path: Path
    target: str
    away: Path | None = None

    def is_done(self) -> bool:
        """True when the link leads there."""
        return Leads(self.path, self.target).holds()

    def planned(self, shown: Shown) -> str:
        """What setup would do, as its plan says it."""
        return f"link   {shown(self.path)} \N{RIGHTWARDS ARROW} {self.target}"

    def do(self, log: "UndoLog") -> None:
        """Make it. Raises CommandError, and then what was there before is there again."""
        record = replace(self, away=None)
        Folder(self.path.parent).do(log)
        if any(each.is_done() for each in log.links(self.path)):
            log.note(record)
            _acted(self.path, lambda: _lead(self.path, self.target))
            return
        if self.away is None or not os.path.lexists(self.path):
            log.note(record)
            _acted(self.path, lambda: self.path.symlink_to(self.target))
            return
        Folder(self.away.parent).do(log)
        move = Move.of(self.path, self.away, log)
        log.note_last(move, record)
        _acted(self.path, lambda: move.carry_out(log))
        try:
            _acted(self.path, lambda: self.path.symlink_to(self.target))
        except CommandError:
            _acted(self.path, lambda: follow(move.undoing(log.folder)))
            raise

    def undoing(self, _: Path) -> list[Choice]:
        """Remove it if it still leads there."""
        temporary = temporary_of(self.path)
        return [
            [Rule((Leads(temporary, self.target),), (Remove(temporary),))],
            [Rule((Leads(self.path, self.target),), (Remove(self.path),))],
        ]


@dataclass(frozen=True, slots=True)
class Move:
    """A file or a link moved out of our way; in a record `target` is what the link said, relative or not.

    `led`: the link led to something when it was moved; what it leads to may have been removed since.
    """

    path: Path
    to: Path
    target: str | None = None
    led: bool = False

    @classmethod
    def of(cls, path: Path, to: Path, log: "UndoLog") -> Self:
        """The move of what is at `path` now. What is at `to` gives way to it. Raises CommandError.

        A link there, or the same file, is of no use any more: the later one is what the user wants back. Any
        other file is renamed, and stays when all is undone.
        """
        if os.path.lexists(to) and not to.is_symlink() and not Same(path, to).holds():
            names = (to.with_name(f"{to.name}.{number}") for number in range(1, 1000))
            free = next(name for name in names if not os.path.lexists(name))
            log.note(Keep(free))
            _acted(to, lambda: to.rename(free))
        if path.is_symlink():
            return cls(path, to, str(path.readlink()), led=path.exists() and not log.is_of_image)
        return cls(path, to)

    def do(self, log: "UndoLog") -> None:
        """Move it. Raises CommandError."""
        Folder(self.to.parent).do(log)
        move = Move.of(self.path, self.to, log)
        log.note_last(move)
        _acted(self.path, lambda: move.carry_out(log))

    def carry_out(self, log: "UndoLog") -> None:
        """Move what is recorded. Raises OSError."""
        if self.target is None:
            move_file(self.path, self.to, temporary_of(self.to))
            return
        _lead(self.to, str(log.seen(self.path.parent) / self.target))
        taken = temporary_of(self.to)
        try:
            self.path.rename(taken)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self.path.unlink()
            return
        if not Leads(taken, self.target).holds():  # replaced by another program just now
            taken.rename(self.path)
            raise BlockingIOError(errno.EAGAIN, "another program is changing it", str(self.path))
        taken.unlink()

    def undoing(self, _: Path) -> list[Choice]:
        """Move it back, unless another file took its place, or what the link led to is gone."""
        kept, back = temporary_of(self.to), temporary_of(self.path)
        stays = "the one that was there before stays in {}"
        other = Rule((There(self.path),), (Say(f"{{}} is another one now: {stays}", (self.path, self.to)),))
        homeless = Rule(
            (NoFolder(self.path.parent),), (Say(f"{{}} is gone: {stays}", (self.path.parent, self.to)),)
        )
        choices: list[Choice] = [[Rule((There(each),), (Remove(each),))] for each in (kept, back)]
        same: Condition = Same(self.path, self.to)
        rest: Act = MoveBack(self.to, self.path, back)
        if self.target is not None:
            same, rest = Leads(self.path, self.target), LinkBack(self.path, self.target, self.to)
        rules = [Rule((Missing(self.to),)), Rule((same,), (Remove(self.to),)), other]
        if self.target is not None and self.led:
            said = Say("{} led to {}, which is gone: it is not put back", (self.path, self.target))
            rules.append(Rule((Dangling(self.to),), (Remove(self.to), said)))
        return [*choices, [*rules, homeless, Rule((), (rest,))]]


@dataclass(frozen=True, slots=True)
class Keep:
    """A program that was replaced earlier, renamed so that a later one finds room; it stays."""

    path: Path

    def undoing(self, _: Path) -> list[Choice]:
        """Say that it is there."""
        return [[Rule((There(self.path),), (Say("{}, which was replaced earlier, stays", (self.path,)),))]]


def _lead(path: Path, target: str) -> None:
    """Have a link of ours lead there, without a moment when none is there. Raises OSError."""
    temporary = temporary_of(path)
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)


def _acted(path: Path, act: Callable[[], object]) -> None:
    """Do it; an error is a CommandError that names the path."""
    try:
        act()
    except OSError as error:
        raise user_files.trouble(path, "changed", error) from None
