"""Files replaced whole: a reader finds the old content or the new one, also after a power cut."""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int, temporary: Path | None = None) -> None:
    """Put a file with this content in place of `path`, itself and not what it links to. Raises OSError.

    The content is first written to `temporary`, in the same folder, which is left behind when this process is
    killed; by default it has a name of its own each time.
    """
    if temporary is None:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
    else:
        descriptor = _new(temporary)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move_file(path: Path, to: Path, temporary: Path) -> None:
    """Move a file, to another file system too. `to` is replaced, as by rename(2). Raises OSError.

    A file is complete at `to` before it is gone from `path`. `temporary` lies beside `to`.
    """
    try:
        path.rename(to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary.unlink(missing_ok=True)
        shutil.copy2(path, temporary, follow_symlinks=False)
        temporary.replace(to)
        sync_folder(to.parent)
        path.unlink()
    sync_folder(to.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in the folder would survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new(path: Path) -> int:
    """A new file at this path, for its owner alone, in place of one that a killed process left."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
