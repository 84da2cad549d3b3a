"""What setup does to a home, one kind of deed a class: how it is undone, here and in the stand-alone script.

An undoing never destroys what somebody did later: a file that was changed since stays as it is.
"""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from broker.ctl.service import launchctl, systemd
from broker.ctl.setup import file_writing
from broker.ctl.setup.keyring_settings import without_line


@dataclass(frozen=True, slots=True)
class Made:
    """A folder that was not there."""

    path: Path

    def undo(self, _: Path) -> str | None:
        """Remove it if nothing is in it."""
        with contextlib.suppress(OSError):
            self.path.rmdir()
        return None

    def script(self) -> str:
        """The same for sh."""
        return f"rmdir {quote(str(self.path))} 2>/dev/null || :"


@dataclass(frozen=True, slots=True)
class Wrote:
    """A file's new content. The journal's folder has it as `NUMBER.wrote`, the one before as `NUMBER.before`.

    `line`: the one line that was added to a file of somebody else's.
    """

    path: Path
    number: int
    mode: int
    line: str | None = None

    def undo(self, folder: Path) -> str | None:
        """Put back what was there; returns what a person should know."""
        now, wrote = (
            file_writing.content_of(self.path),
            file_writing.content_of(folder / f"{self.number}.wrote"),
        )
        before = file_writing.content_of(folder / f"{self.number}.before")
        if now in {None, before}:
            return None
        if now != wrote and self.line is not None:
            return self._undo_line(now or b"")
        if now != wrote:
            return f"{self.path} was changed since and stays"
        if before is None:
            self.path.unlink()
        else:
            file_writing.put(self.path, before, self.mode)
        return None

    def _undo_line(self, now: bytes) -> str | None:
        text = now.decode(errors="surrogateescape")
        without = without_line(text, self.line or "")
        if without == text:
            return None
        file_writing.put(
            self.path, without.encode(errors="surrogateescape"), file_writing.mode_of(self.path) or self.mode
        )
        return f"{self.path} was changed since: only our line was taken out"

    def script(self) -> str:
        """The same for sh, which leaves a changed file alone and says which line was ours."""
        return f"restore {quote(str(self.path))} {self.number} {quote(self.line or '')}"


@dataclass(frozen=True, slots=True)
class Linked:
    """A symbolic link that was not there."""

    path: Path
    target: str

    def undo(self, _: Path) -> str | None:
        """Remove it if it is still ours."""
        with contextlib.suppress(OSError):
            if str(self.path.readlink()) == self.target:
                self.path.unlink()
        return None

    def script(self) -> str:
        """The same for sh."""
        path, target = quote(str(self.path)), quote(self.target)
        return f'if [ "$(readlink {path})" = {target} ]; then rm {path}; fi'


@dataclass(frozen=True, slots=True)
class Moved:
    """A file, or a link, that was in our way; `target` is what the link said, relative or not."""

    path: Path
    to: Path
    target: str | None = None

    def undo(self, _: Path) -> str | None:
        """Move it back, unless its place was taken."""
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
class Enabled:
    """A unit that starts by itself from now on."""

    unit: str

    def undo(self, _: Path) -> str | None:
        """Disable it, and end what it is the socket of."""
        systemd.systemctl("disable", "--now", self.unit)
        systemd.systemctl("stop", systemd.SERVICE_UNIT)
        return None

    def script(self) -> str:
        """The same for sh."""
        systemctl = "systemctl --user"
        disable = f"{systemctl} disable --now {quote(self.unit)}"
        return f"{disable} 2>/dev/null; {systemctl} stop {systemd.SERVICE_UNIT} 2>/dev/null"


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket unit of the machine's that listens."""

    unit: str

    def undo(self, _: Path) -> str | None:
        """Stop it, and what it is the socket of."""
        systemd.systemctl("stop", self.unit, systemd.SERVICE_UNIT, manager=systemd.SYSTEM)
        return None

    def script(self) -> str:
        """The same for sh."""
        return f"systemctl stop {quote(self.unit)} {systemd.SERVICE_UNIT} 2>/dev/null"


@dataclass(frozen=True, slots=True)
class Loaded:
    """An agent whose socket launchd keeps."""

    path: Path

    def undo(self, _: Path) -> str | None:
        """Unload it."""
        launchctl.unload()
        return None

    def script(self) -> str:
        """The same for sh."""
        bootout = "launchctl bootout"
        gui, user = (f"{bootout} {kind}/$(id -u)/{launchctl.LABEL} 2>/dev/null" for kind in ("gui", "user"))
        return f"{gui} || {user} || :"


Deed = Made | Wrote | Linked | Moved | Enabled | Listening | Loaded
