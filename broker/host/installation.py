"""Whether the program on the disk is still the one that runs: installers write a new dist-info."""

import sysconfig
from collections.abc import Hashable
from pathlib import Path


def installation_fingerprint() -> Hashable:
    """A value that changes when token-broker was upgraded, reinstalled or removed."""
    marks = []
    for found in sorted(Path(sysconfig.get_path("purelib")).glob("token_broker*.dist-info")):
        try:
            about = (found / "RECORD").stat()
        except OSError:
            continue  # half removed: the next look sees the rest
        marks.append((found.name, about.st_ino, about.st_mtime_ns))
    return tuple(marks)
