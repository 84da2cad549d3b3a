"""Where the record of `core/why_not.py` lies: beside the socket, or in the user's state folder.

The first is in memory on most machines, and may be full or not ours; the second survives it. Both are for
their owner alone, and one that another user could have written is not read.
"""

import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from broker.core.why_not import Reason, from_record, to_record
from broker.host import state_file

NAME = "why-not.json"


class WhyNotFile:
    """The record of the broker at `socket`; None: of the starts for which no path could be named.

    `state` is the second folder, None for a broker without one.
    """

    def __init__(self, socket: Path | None, state: Path | None = None) -> None:
        self._socket = "" if socket is None else str(socket)
        folders = (None if socket is None else socket.parent, state)
        self._places = tuple(folder / NAME for folder in folders if folder is not None)
        self._state = state

    def read(self) -> tuple[Reason, ...]:
        """The reasons in the newest record of this broker; none where there is none. Never raises."""
        for place in sorted(self._places, key=_written_at, reverse=True):
            text = state_file.read(place) if _is_private(place.parent) else None
            reasons = _reasons_in(text, self._socket)
            if reasons:
                return reasons
        return ()

    def write(self, reasons: Sequence[Reason]) -> bool:
        """Replace the record, or remove it where there is no reason; False where it can be written nowhere.

        Blocks. Never raises.
        """
        text, is_written = json.dumps(to_record(reasons, self._socket), indent=1), not reasons
        for place in self._places:
            if is_written:
                _remove(place, self._socket)
                continue
            try:
                if self._state is not None and place.parent == self._state:
                    self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
                if _is_private(place.parent):
                    state_file.write(place, text)
                    is_written = True
            except OSError:
                continue
        return is_written


def state_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the user's state lies: $XDG_STATE_HOME, which must be absolute, or ~/.local/state (XDG 0.8)."""
    base = Path(environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else home / ".local" / "state") / "token-broker"


def _remove(place: Path, socket: str) -> None:
    """Remove what an earlier start of the same broker left, never another broker's."""
    if _reasons_in(state_file.read(place), socket):
        try:
            place.unlink()
        except OSError:
            return


def _reasons_in(text: str | None, socket: str) -> tuple[Reason, ...]:
    try:
        return from_record(json.loads(text or "null"), socket)
    except (ValueError, RecursionError):
        return ()


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _written_at(place: Path) -> int:
    try:
        return place.lstat().st_mtime_ns
    except (OSError, ValueError):
        return 0
