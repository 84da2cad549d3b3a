"""stdout as a terminal: how wide it is, and lines whose marks are coloured there."""

import os
import re
import shutil
import sys

import typer

from broker.host.standard_streams import is_terminal

COLOURS = {"\N{CHECK MARK}": "green", "\N{BALLOT X}": "red", "!": "yellow"}
"""Each mark's. They only repeat what the marks say."""

_MARK = re.compile(rf"(?:^|(?<= )) ([{''.join(COLOURS)}]) ", re.MULTILINE)
"""At the beginning of a line, or of its second column."""


def cells() -> int | None:
    """How many cells a line has; None for a pipe, in which lines are as long as they are."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def say(text: str) -> None:
    """Print lines, the marks at their beginnings in colour on a terminal that has it."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(sys.stdout)
    typer.echo(text if plain else _MARK.sub(_coloured, text))


def _coloured(mark: re.Match[str]) -> str:
    return f" {typer.style(mark[1], fg=COLOURS[mark[1]])} "
