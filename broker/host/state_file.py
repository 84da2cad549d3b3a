"""A small file of ours that is replaced whole: what a daemon leaves for the one after it. Never a secret."""

import os
import stat
from pathlib import Path

BYTES_MAX = 256 * 1024


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
    """Replace the file: whoever reads it finds the old text or the new one. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(text)
    new.replace(path)
