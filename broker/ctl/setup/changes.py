"""Every kind of change that setup makes, one class a kind: whether it is done, how it is announced, done, and
undone, here and by a line of the stand-alone script.

A change that was made is a record in the undo log. `STORED` says how it is written down: undo logs of every
earlier version are read by these names, so they stay. Undoing never destroys a later edit: a file that was
changed since stays as it is. Read undo_log next.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.service import launchctl, systemd
from broker.ctl.setup.keyring_settings import without_line

if TYPE_CHECKING:
    from broker.ctl.setup.undo_log import UndoLog

PRIVATE = 0o600

Shown = Callable[[Path], str]
"""A path as the user writes it."""


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
        """Make it, and those above it that are missing; each is a record of its own."""
        log.begin()
        for made in user_files.make_folders(self.path, log.folder_mode):
            log.note(Folder(made))

    def undo(self, _: Path) -> str | None:
        """Remove it if it is empty."""
        with contextlib.suppress(OSError):
            self.path.rmdir()
        return None

    def script(self) -> str:
        """The same for sh."""
        return f"rmdir {quote(str(self.path))} 2>/dev/null || :"


@dataclass(frozen=True, slots=True)
class Write:
    """A file's new text; `line` is the one line that setup adds where the file is not its own.

    The undo log's folder keeps the text as `NUMBER.wrote`, and what was there before as `NUMBER.before`. In a
    record `mode` is the mode to restore, and `text` is empty.
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
        """Write it. A second write over the first one's text keeps the first one's record."""
        Folder(self.path.parent).do(log)
        before, content = user_files.content_of(self.path), self.text.encode()
        record = log.written(self.path)
        if record is None or before != user_files.content_of(record.kept(log.folder, "wrote")):
            mode = user_files.mode_of(self.path) or self.mode
            record = replace(self, text="", mode=mode, number=log.next_number())
            if before is not None:
                user_files.put(record.kept(log.folder, "before"), before, mode)
        user_files.put(record.kept(log.folder, "wrote"), content, PRIVATE)
        log.note(record)
        user_files.put(self.path, content, self.mode)

    def kept(self, folder: Path, which: str) -> Path:
        """The copy in the undo log's folder of what was there `before`, or of what setup `wrote`."""
        return folder / f"{self.number}.{which}"

    def undo(self, folder: Path) -> str | None:
        """Put back what was there before; returns what the user should know."""
        now, wrote, before = (
            user_files.content_of(path)
            for path in (self.path, self.kept(folder, "wrote"), self.kept(folder, "before"))
        )
        if now in {None, before}:
            return None
        if now != wrote and self.line is not None:
            return self._undo_line(now or b"", self.line)
        if now != wrote:
            return f"{self.path} was changed since and stays"
        if before is None:
            self.path.unlink()
        else:
            user_files.put(self.path, before, self.mode)
        return None

    def _undo_line(self, now: bytes, line: str) -> str | None:
        text = now.decode(errors="surrogateescape")
        without = without_line(text, line)
        if without == text:
            return None
        mode = user_files.mode_of(self.path) or self.mode
        user_files.put(self.path, without.encode(errors="surrogateescape"), mode)
        return f"{self.path} was changed since: only our line was taken out"

    def script(self) -> str:
        """The same for sh, which leaves a changed file alone and says which line was ours."""
        return f"restore {quote(str(self.path))} {self.number} {quote(self.line or '')}"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; a file or another link in its place is moved to `away` first."""

    path: Path
    target: str
    away: Path | None = None

    def is_done(self) -> bool:
        """True when the link leads there."""
        return self.path.is_symlink() and str(self.path.readlink()) == self.target

    def planned(self, shown: Shown) -> str:
        """What setup would do, as its plan says it."""
        return f"link   {shown(self.path)} \N{RIGHTWARDS ARROW} {self.target}"

    def do(self, log: "UndoLog") -> None:
        """Make it."""
        if self.path.is_symlink() and not self.path.exists():
            self.path.unlink()  # a dangling link, to an installation of ours that was removed, say
        elif self.away is not None and os.path.lexists(self.path):
            Move(self.path, self.away).do(log)
        Folder(self.path.parent).do(log)
        log.note(replace(self, away=None))
        self.path.symlink_to(self.target)

    def undo(self, _: Path) -> str | None:
        """Remove it if it still leads there."""
        with contextlib.suppress(OSError):
            if self.is_done():
                self.path.unlink()
        return None

    def script(self) -> str:
        """The same for sh."""
        path, target = quote(str(self.path)), quote(self.target)
        return f'if [ "$(readlink {path})" = {target} ]; then rm {path}; fi'


@dataclass(frozen=True, slots=True)
class Move:
    """A file or a link moved out of our way; in a record `target` is what the link said, relative or not."""

    path: Path
    to: Path
    target: str | None = None

    def do(self, log: "UndoLog") -> None:
        """Move it. Raises CommandError where another file is at `to`."""
        Folder(self.to.parent).do(log)
        if os.path.lexists(self.to):
            raise CommandError(
                f"{self.to} is there already: move it away, or keep the {self.path.name} that is in use"
            )
        if self.path.is_symlink():
            target = self.path.readlink()
            log.note(replace(self, target=str(target)))
            self.to.symlink_to(self.path.parent / target)
            self.path.unlink()
        else:
            log.note(self)
            shutil.move(self.path, self.to)

    def undo(self, _: Path) -> str | None:
        """Move it back, unless another file took its place."""
        if not os.path.lexists(self.to):
            return None
        if os.path.lexists(self.path):
            return f"{self.path} is another one now: the one that was there before stays in {self.to}"
        if self.target is None:
            shutil.move(self.to, self.path)
        else:
            self.path.symlink_to(self.target)
            self.to.unlink()
        return None

    def script(self) -> str:
        """The same for sh."""
        path, to = quote(str(self.path)), quote(str(self.to))
        back = f"mv {to} {path}"
        if self.target is not None:
            back = f"ln -s {quote(self.target)} {path} && rm {to}"
        return f"if [ ! -e {path} ] && [ ! -L {path} ]; then {back}; fi"


@dataclass(frozen=True, slots=True)
class Enable:
    """A unit that the user's service manager starts now and at every login."""

    unit: str

    def do(self, log: "UndoLog") -> None:
        """Enable and start it. Raises CommandError."""
        log.note(self)
        _check(systemd.systemctl("enable", "--now", self.unit), f"systemctl --user status {self.unit}")

    def undo(self, _: Path) -> str | None:
        """Disable it, and stop its service."""
        systemd.systemctl("disable", "--now", self.unit)
        systemd.systemctl("stop", systemd.SERVICE_UNIT)
        return None

    def script(self) -> str:
        """The same for sh."""
        systemctl = "systemctl --user"
        disable = f"{systemctl} disable --now {quote(self.unit)}"
        return f"{disable} 2>/dev/null; {systemctl} stop {systemd.SERVICE_UNIT} 2>/dev/null"


@dataclass(frozen=True, slots=True)
class Listen:
    """A socket unit that the machine's service manager opens now."""

    unit: str

    def do(self, log: "UndoLog") -> None:
        """Start it. Raises CommandError."""
        log.note(self)
        _check(systemd.systemctl("start", self.unit, manager=systemd.SYSTEM), f"systemctl status {self.unit}")

    def undo(self, _: Path) -> str | None:
        """Stop it, and its service."""
        systemd.systemctl("stop", self.unit, systemd.SERVICE_UNIT, manager=systemd.SYSTEM)
        return None

    def script(self) -> str:
        """The same for sh."""
        return f"systemctl stop {quote(self.unit)} {systemd.SERVICE_UNIT} 2>/dev/null"


@dataclass(frozen=True, slots=True)
class Load:
    """An agent whose socket launchd keeps, now and after every login."""

    path: Path

    def do(self, log: "UndoLog") -> None:
        """Load it. Raises CommandError."""
        log.note(self)
        complaint = launchctl.load(self.path)
        if complaint is not None:
            _check(complaint, f"launchctl print {launchctl.domain()}/{launchctl.LABEL}")

    def undo(self, _: Path) -> str | None:
        """Unload it."""
        launchctl.unload()
        return None

    def script(self) -> str:
        """The same for sh."""
        bootout = "launchctl bootout"
        gui, user = (f"{bootout} {kind}/$(id -u)/{launchctl.LABEL} 2>/dev/null" for kind in ("gui", "user"))
        return f"{gui} || {user} || :"


PlannedChange = Folder | Write | Link
"""What a step is made of."""

Change = PlannedChange | Move | Enable | Listen | Load

STORED: dict[str, tuple[Callable[..., Change], tuple[str, ...]]] = {
    "Made": (Folder, ("path",)),
    "Wrote": (Write, ("path", "number", "mode", "line")),
    "Linked": (Link, ("path", "target")),
    "Moved": (Move, ("path", "to", "target")),
    "Enabled": (Enable, ("unit",)),
    "Listening": (Listen, ("unit",)),
    "Loaded": (Load, ("path",)),
}
"""By the name of a kind in the undo log: its class, and the fields that are written down."""


def _check(complaint: str | None, hint: str) -> None:
    if complaint is not None:
        raise CommandError(complaint, hint=hint)
