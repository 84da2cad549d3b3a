"""What setup is asked for, and the steps of its plan: the line about each, and the changes behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from broker.ctl.setup.changes import PlannedChange
from broker.ctl.setup.undo_log import UndoLog


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """What the user asked for. `asks`: the plan is shown first, and done when the user says so."""

    dry_run: bool
    replace: bool
    configure_clients: bool
    group: str | None = None
    asks: bool = False
    clients: bool = False


class StepMark(StrEnum):
    """How a step stands: done, the user may want to do something, or something is in the way."""

    DONE = "\N{CHECK MARK}"
    OPEN = "\N{MIDDLE DOT}"
    WRONG = "\N{BALLOT X}"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the screen, and the changes behind it. `hint` is what the user may type."""

    topic: str
    said: str
    changes: Sequence[PlannedChange] = ()
    mark: StepMark = StepMark.DONE
    hint: str | None = None

    @property
    def pending(self) -> list[PlannedChange]:
        """The changes that are not done yet."""
        return [change for change in self.changes if not change.is_done()]

    def do(self, log: UndoLog) -> bool:
        """Do what is pending; True where there was something to do. Raises CommandError."""
        pending = self.pending
        for change in pending:
            change.do(log)
        return bool(pending)
