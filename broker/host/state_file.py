"""A small file of ours that is replaced whole: what a daemon leaves for its next start. Never a secret."""

import os
import stat
from pathlib import Path

from broker.host.file_writing import replace_file

BYTES_MAX = 256 * 1024
OWN_MODE = 0o600


def read(path: Path) -> str | None:
    """The text, or None where there is no such file of ours alone. Never raises."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return None
        return os.read(descriptor, BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError):
        return None
    finally:
        os.close(descriptor)


def write(path: Path, text: str) -> None:
    """Replace the file by one with this text, for its owner alone. Raises OSError."""
    replace_file(path, text.encode(), OWN_MODE)
