"""A home directory as a test looks at it: every path in it with its kind, mode and content."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def tree(home: Path, *, without: tuple[str, ...] = ()) -> dict[str, tuple[str, object]]:
    """Every entry below `home`, by its path in it; nothing below `without`."""
    found: dict[str, tuple[str, object]] = {}
    for path in sorted(home.rglob("*")):
        place = path.relative_to(home).as_posix()
        if any(place == each or place.startswith(f"{each}/") for each in without):
            continue
        mode = stat.filemode(path.lstat().st_mode)
        if path.is_symlink():
            found[place] = mode, str(path.readlink())
        else:
            found[place] = mode, path.read_bytes() if path.is_file() else None
    return found
