"""Which file a program's name means by a PATH, and whether that can be run: for all who start programs.

It may lie there and not be executable, or be a link that leads nowhere; then `start_failure.py` says why it
cannot be run.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FoundProgram:
    """The file that a name means; it may be a link that leads nowhere, or, by its path, a folder."""

    path: str
    is_executable: bool


def search(name: str, path: str, *, relative: bool = False) -> FoundProgram | None:
    """The first executable file of this name by a PATH, else the first that is none; None without any.

    `relative`: entries that are relative or empty count, and so does a name such as `./az`, as for execvp(3).
    That is right for what a person types in a folder of theirs, and for nothing that runs by itself.
    """
    if not name or "\0" in name:
        return None
    if os.sep in name:
        places = [name] if relative or Path(name).is_absolute() else []
    else:
        entries = path.split(os.pathsep) if path else []
        places = [
            os.path.join(entry or os.curdir, name)  # noqa: PTH118 - a Path would lose the `./`
            for entry in entries
            if relative or Path(entry).is_absolute()
        ]
    for place in places:
        if os.access(place, os.X_OK) and not _is_folder(place):
            return FoundProgram(place, is_executable=True)
    lying = (each for each in places if os.path.lexists(each) and (os.sep in name or not _is_folder(each)))
    return next((FoundProgram(each, is_executable=False) for each in lying), None)


def executable(name: str, path: str) -> str | None:
    """The absolute path of the executable file of this name by a PATH, or None: see `search`."""
    found = search(name, path)
    return found.path if found is not None and found.is_executable else None


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:
        return False
