"""What setup has a service manager do, and how that is undone. Undoing never fails."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from broker.ctl.command_error import CommandError
from broker.ctl.service import launchctl, systemd
from broker.ctl.setup.file_changes import Shown
from broker.ctl.setup.undo_rules import Call, Choice, Rule

if TYPE_CHECKING:
    from broker.ctl.setup.undo_log import UndoLog


@dataclass(frozen=True, slots=True)
class Enable:
    """A unit that the user's service manager starts now and at every login."""

    unit: str

    def is_done(self) -> bool:
        """True when it is started now and will be."""
        return [systemd.shown(name, self.unit) for name in ("UnitFileState", "ActiveState")] == [
            "enabled",
            "active",
        ]

    def planned(self, _: Shown) -> str:
        """What setup would do, as its plan says it."""
        return f"enable {self.unit}, which listens now and after every login"

    def do(self, log: "UndoLog") -> None:
        """Enable and start it. Raises CommandError."""
        log.note(self)
        _check(systemd.systemctl("enable", "--now", self.unit), f"systemctl --user status {self.unit}")

    def undoing(self, _: Path) -> list[Choice]:
        """Disable it, and stop its service."""
        systemctl = "systemctl --user"
        disable = f"{systemctl} disable --now {quote(self.unit)}"
        line = f"{disable} 2>/dev/null; {systemctl} stop {systemd.SERVICE_UNIT} 2>/dev/null"
        return [[Rule((), (Call(self._end, line),))]]

    def _end(self) -> None:
        systemd.systemctl("disable", "--now", self.unit)
        systemd.systemctl("stop", systemd.SERVICE_UNIT)


@dataclass(frozen=True, slots=True)
class Listen:
    """A socket unit that the machine's service manager opens now."""

    unit: str

    def is_done(self) -> bool:
        """True when it is open."""
        return systemd.shown("ActiveState", self.unit, manager=systemd.SYSTEM) == "active"

    def planned(self, _: Shown) -> str:
        """What setup would do, as its plan says it."""
        return f"start  {self.unit}, and make its user"

    def do(self, log: "UndoLog") -> None:
        """Start it. Raises CommandError."""
        log.note(self)
        _check(systemd.systemctl("start", self.unit, manager=systemd.SYSTEM), f"systemctl status {self.unit}")

    def undoing(self, _: Path) -> list[Choice]:
        """Stop it, and its service."""
        line = f"systemctl stop {quote(self.unit)} {systemd.SERVICE_UNIT} 2>/dev/null"
        return [[Rule((), (Call(self._end, line),))]]

    def _end(self) -> None:
        systemd.systemctl("stop", self.unit, systemd.SERVICE_UNIT, manager=systemd.SYSTEM)


@dataclass(frozen=True, slots=True)
class Load:
    """An agent whose socket launchd keeps, now and after every login."""

    path: Path

    def is_done(self) -> bool:
        """True when launchd keeps it."""
        return launchctl.is_loaded()

    def planned(self, shown: Shown) -> str:
        """What setup would do, as its plan says it."""
        return f"load   {shown(self.path)}, whose socket is open now and after every login"

    def do(self, log: "UndoLog") -> None:
        """Load it. Raises CommandError."""
        log.note(self)
        complaint = launchctl.load(self.path)
        if complaint is not None:
            _check(complaint, f"launchctl print {launchctl.domain()}/{launchctl.LABEL}")

    def undoing(self, _: Path) -> list[Choice]:
        """Unload it."""
        gui, user = (
            f"launchctl bootout {kind}/$(id -u)/{launchctl.LABEL} 2>/dev/null" for kind in ("gui", "user")
        )
        return [[Rule((), (Call(launchctl.unload, f"{gui} || {user} || :"),))]]


def _check(complaint: str | None, hint: str) -> None:
    if complaint is not None:
        raise CommandError(complaint, hint=hint)
