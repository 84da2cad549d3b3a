"""What a person at a terminal is asked, on stderr: stdout may go elsewhere, and a question must be seen."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from broker.ctl.command_error import CommandError, ExitCode


def answer_to(question: str, default: str | None) -> str:
    """What is typed; an empty line is the default, or asked again where that is None. Raises CommandError."""
    with _given_up():
        said: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
    return said.strip()


def agrees(question: str, *, default: bool = False) -> bool:
    """Whether yes is typed; an empty line is the default. Raises CommandError."""
    with _given_up():
        return typer.confirm(question, default=default, err=True)


@contextmanager
def _given_up() -> Iterator[None]:
    """Raises CommandError for Ctrl-C and for an input that ends, such as by Ctrl-D."""
    try:
        yield
    except typer.Abort as abort:
        interrupted = isinstance(abort.__context__, KeyboardInterrupt)  # both are one exception to click
        typer.echo(err=True)  # the question's line is still open
        code = ExitCode.INTERRUPTED if interrupted else ExitCode.CANNOT_BE_HAD
        raise CommandError("nothing was changed", exit_code=code) from None
