"""What tells that a file is not the one that was read."""

from collections.abc import Hashable
from pathlib import Path


def file_stamp(path: Path) -> Hashable:
    """What changes when a file is written or replaced; None while it cannot be seen."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
