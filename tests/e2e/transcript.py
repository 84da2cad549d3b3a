"""What clients say to the `keyring` command, word by word: a `keyring` on PATH that writes each call down and
is the shim in all else. Next: `household.py`, whose shim it stands before.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tests.e2e.household import SHIM

if TYPE_CHECKING:
    from tests.e2e.household import Household

# Where the shim passes a call on, the next keyring on PATH is this file, which has the end of PATH to play.
_PROGRAM = """#!/bin/sh
[ -z "$TOKEN_BROKER_PASSED" ] || exit 1
{{ printf '%s\\037' "$@"; echo; }} >>{calls}
exec {shim} "$@"
"""


class Transcript:
    """Takes the place of a household's `keyring`."""

    def __init__(self, house: Household) -> None:
        self._calls = house.folder / "calls"
        self._calls.touch()
        program = house.bin / "keyring"
        program.unlink()
        program.write_text(_PROGRAM.format(calls=shlex.quote(str(self._calls)), shim=shlex.quote(str(SHIM))))
        program.chmod(0o755)

    def take(self) -> list[list[str]]:
        """The words of each call since the last `take`."""
        said = self._calls.read_text()
        self._calls.write_text("")
        return [line.removesuffix("\037").split("\037") for line in said.splitlines()]
