"""What a person at a terminal is asked, on stderr: stdout may go elsewhere, and a question must be seen."""

import sys

from broker.ctl.command_error import CommandError, ExitCode
from broker.host.standard_streams import tell

AGREED = {"y": True, "yes": True, "n": False, "no": False}


def answer_to(question: str, default: str | None) -> str:
    """What is typed; an empty line is the default, or asked again where that is None. Raises CommandError."""
    asked = f"{question} [{default}]: " if default else f"{question}: "
    while not (said := _line(asked)) and default is None:
        pass
    return said or default or ""


def agrees(question: str, *, default: bool = False) -> bool:
    """Whether yes is typed; an empty line is the default. Raises CommandError."""
    asked = f"{question} [{'Y/n' if default else 'y/N'}]: "
    while said := _line(asked).lower():
        if said in AGREED:
            return AGREED[said]
        tell("Answer y or n.")
    return default


def _line(question: str) -> str:
    """A line that is typed. Raises CommandError for Ctrl-C and for an input that ends, such as by Ctrl-D.

    Not by `input`, which would print a part of the question to stdout.
    """
    try:
        while True:
            sys.stderr.write(question)
            sys.stderr.flush()
            try:
                line = sys.stdin.readline()
            except UnicodeDecodeError:
                tell("That is not UTF-8.")
                continue
            if line:
                return line.strip()
            code = ExitCode.CANNOT_BE_HAD
            break
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    tell("")  # the question's line is still open
    raise CommandError("nothing was changed", exit_code=code)
