"""Whether an error means that something of the machine's has run out, which passes by itself."""

import errno

_SHORTAGES = {
    errno.EAGAIN: "this user or service may start no more processes (ulimit -u, TasksMax)",
    errno.ENOMEM: "the machine has no memory left",
    errno.EMFILE: "the broker has as many files open as it may (ulimit -n)",
    errno.ENFILE: "the machine has as many files open as it can",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's share of the disk is full",
    errno.ETXTBSY: "its file is being written just now",
}
"""fork(2), pipe(2), execve(2) and pidfd_open(2) of Linux; macOS has the same names."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""A file system that takes no new file: it is full, this user's share of it is, or it is read-only."""

_NO_THREAD = "can't start new thread"
"""CPython's RuntimeError where pthread_create fails (Modules/_threadmodule.c of 3.11 to 3.14)."""


def shortage_of(error: BaseException) -> str | None:
    """What has run out, in words that follow a colon; None for any other error."""
    if isinstance(error, MemoryError):
        return _SHORTAGES[errno.ENOMEM]
    if isinstance(error, RuntimeError) and str(error).startswith(_NO_THREAD):
        return _SHORTAGES[errno.EAGAIN]
    return _SHORTAGES.get(error.errno or 0) if isinstance(error, OSError) else None
