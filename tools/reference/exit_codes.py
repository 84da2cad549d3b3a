"""docs/reference/exit-codes.md: what each exit code means, held to `ExitCode`."""

from broker.ctl.command_error import ExitCode
from tools.reference import markdown

MEANINGS = {
    ExitCode.FINE: "all is well",
    ExitCode.CANNOT_BE_HAD: "what was asked for cannot be had; stderr says why",
    ExitCode.USAGE: "the command was typed wrongly",
    ExitCode.NOT_RUNNING: "the broker is not running",
    ExitCode.NEEDS_A_PERSON: "a feed needs a person to sign in",
    ExitCode.EXEC_FAILED: "`exec` or `why` itself failed, not its command",
    ExitCode.EXEC_CANNOT_RUN: "the command of `exec` or `why` cannot be run",
    ExitCode.EXEC_NO_SUCH_COMMAND: "there is no such command to run",
    ExitCode.INTERRUPTED: "it was interrupted (Ctrl-C)",
}


def exit_codes() -> list[tuple[int, str]]:
    """Return number and meaning of each. Raises KeyError for one without a meaning."""
    return [(code.value, MEANINGS[code]) for code in ExitCode]


def markdown_page() -> str:
    """The page."""
    return markdown.page(
        "Exit codes",
        "`brokerctl` ends with these. `exec` and `why` end with the code of the command that they ran.",
        markdown.table(("code", "meaning"), ((f"`{number}`", means) for number, means in exit_codes())),
        "`keyring-shim` ends with 0 when it printed an answer, else with 1; `brokerd` with 0 when it was asked to "
        "end, with 1 when it cannot serve, with 2 when it was started wrongly.",
    )
