"""What was installed together with the program that runs, and whether it still is what is on the disk."""

import os
import sys
import sysconfig
from collections.abc import Hashable
from pathlib import Path

SHIM = "keyring-shim"
"""What uv and pip run as `keyring`."""


def beside_us(program: str) -> Path | None:
    """The program that was installed together with the one that runs, None where there is none."""
    for neighbour in (Path(sys.argv[0]).resolve(), Path(sys.executable)):
        found = neighbour.parent / program
        if os.access(found, os.X_OK):
            return found
    return None


def installation_fingerprint() -> Hashable:
    """A value that changes when token-broker was upgraded, reinstalled or removed.

    Installers write a new dist-info.
    """
    marks = []
    for found in sorted(Path(sysconfig.get_path("purelib")).glob("token_broker*.dist-info")):
        try:
            about = (found / "RECORD").stat()
        except OSError:
            continue  # half removed: the next look sees the rest
        marks.append((found.name, about.st_ino, about.st_mtime_ns))
    return tuple(marks)
