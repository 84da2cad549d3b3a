"""Indexes of a script's own metadata (PEP 723): uv reads them for `uv run SCRIPT`, and nothing else does.

A script's block is TOML behind `# `, so its lines are the script's.
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import FILE_S, ForeignFile, beginning_of, matching
from broker.ctl.clients.time_limit import TooSlowError, at_most
from broker.ctl.clients.uv import indexes_of_file
from broker.ctl.clients.uv_files import IN_PYPROJECT

PATTERN = "*.py"
SCRIPTS_MAX = 200
"""A folder of more scripts is a package's, and those have no metadata of their own."""

_BLOCK = re.compile(r"(?m)^# /// script\s*$\n(?P<content>(?:^#(?:| .*)$\n)+?)^# ///\s*$")
"""PEP 723's own expression, for the one kind of block that it defines."""


def script_indexes(
    path: Path, environ: Mapping[str, str], owners: Collection[int] | None = None
) -> Iterator[Index]:
    """The indexes that a script names; none where it has no block, or one that is not TOML.

    `owners`: the uids whose files are taken; None: anyone's, of a file that the user names.
    """
    found: list[Index] = []
    try:
        with at_most(FILE_S) as is_own_limit:
            found.extend(_of_text(beginning_of(path, owners), path, environ))
    except TooSlowError:
        if not is_own_limit:
            raise
    yield from found


def scripts_in(directory: Path) -> list[Path]:
    """The scripts of a folder."""
    found = matching(directory, PATTERN)
    return found if len(found) <= SCRIPTS_MAX else []


def _of_text(text: str, path: Path, environ: Mapping[str, str]) -> Iterator[Index]:
    block = _BLOCK.search(text)
    if block is None:
        return
    lines = block["content"].splitlines(keepends=True)
    try:
        found = tomllib.loads("".join(line[2:] if line.startswith("# ") else line[1:] for line in lines))
    except (ValueError, RecursionError):
        return
    above = text.count("\n", 0, block.start("content"))
    shown = ("",) * above + tuple(line.rstrip("\n").removeprefix("# ") for line in lines)
    yield from indexes_of_file(ForeignFile(path, found, shown, is_there=True), IN_PYPROJECT, environ)
