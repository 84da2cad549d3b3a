"""How a command ends: its exit code, and the one line that says why (CONTRACT section 6)."""

from enum import IntEnum

from broker.core.failures import advice
from broker.core.one_line import one_line


class ExitCode(IntEnum):
    """What scripts may rely on. `exec` has its own three, as env(1) and nice(1) do."""

    FINE = 0
    CANNOT_BE_HAD = 1
    USAGE = 2
    NOT_RUNNING = 3
    NEEDS_A_PERSON = 4
    EXEC_FAILED = 125
    EXEC_CANNOT_RUN = 126
    EXEC_NO_SUCH_COMMAND = 127
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what was asked: `detail` is one lower-case line, `hint` a command to type."""

    def __init__(
        self, detail: str, *, hint: str | None = None, exit_code: ExitCode = ExitCode.CANNOT_BE_HAD
    ) -> None:
        detail = one_line(detail)
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.exit_code = exit_code

    @property
    def line(self) -> str:
        """Both in the form that the shim prints, too."""
        return self.detail if self.hint is None else f"{self.detail}; {advice(self.hint)}"
