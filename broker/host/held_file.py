"""A file whose readers wait until it is complete, where the kernel can have them wait.

On Linux by a write lease (fcntl(2)): open(2) returns to another process when the lease is given back, which
the end of all processes that have the descriptor does, too, or after 45 s (/proc/sys/fs/lease-break-time).
"""

import fcntl
import os
import signal
import sys
from pathlib import Path


def create_held(path: Path, content: bytes) -> tuple[int, bool]:
    """A descriptor of a new file of ours alone, which begins with this content, and whether readers wait for
    its last close. Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        is_held = _hold(descriptor)
        write_all(descriptor, content)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, is_held


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it. Raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _hold(descriptor: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        # told by a signal that is ignored by default: SIGIO would end a process that does not handle it
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:  # a file system, or a sandbox's kernel, that has no leases
        return False
    return True
