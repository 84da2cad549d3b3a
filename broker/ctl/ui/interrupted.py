"""Ctrl-C in the middle of something: what is there now is said."""

from collections.abc import Iterator
from contextlib import contextmanager

from broker.ctl.command_error import CommandError, ExitCode


@contextmanager
def told_if_interrupted(said: str, hint: str | None = None) -> Iterator[None]:
    """Raises CommandError in place of KeyboardInterrupt: `said` is what is done and what goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError(f"interrupted: {said}", hint=hint, exit_code=ExitCode.INTERRUPTED) from None
