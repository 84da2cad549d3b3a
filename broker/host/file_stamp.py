"""A stamp of a file: another one means that the file is no longer the one that was read."""

from collections.abc import Hashable
from pathlib import Path


def file_stamp(path: Path) -> Hashable:
    """A value that changes when the file is written or replaced; None while the file cannot be seen."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
