"""The lock around set-up and teardown: one brokerctl at a time changes a home, or a machine.

It is a lock on the folder itself, which is there already: so there is no lock file that a killed process
leaves behind, or that vanishes with the set-up. The kernel drops the lock with the process.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from broker.ctl.command_error import CommandError
from broker.host.clock import SystemClock

WAIT_S = 30.0
"""Longer than a set-up takes that tries no sandbox."""

LOOK_AGAIN_S = 0.05
LOCKS = Path("/proc/locks")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While in it no other brokerctl is. Raises CommandError when another one is for longer than WAIT_S.

    Where the folder cannot be locked, that is said and it goes on: NFS has no locks on folders. The same
    where another user locked it, as everyone can who may read it.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        _go_on(folder, str(error.strerror).lower())
        yield
        return
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    clock = SystemClock()
    end = clock.now().boot_s + WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = holder(descriptor)
            if pid is not None and not _is_trusted(pid):
                _go_on(folder, f"process {pid} of another user has locked it")
                return
            if clock.now().boot_s > end:
                who = "another process" if pid is None else f"process {pid}"
                raise CommandError(
                    f"{who} is setting up or tearing down {folder} at this moment",
                    hint=None if pid is None else f"ps -fp {pid}",
                ) from None
            clock.pause(LOOK_AGAIN_S)
        except OSError as error:  # EBADF on NFS, which wants it open for writing; ENOLCK, EOPNOTSUPP
            _go_on(folder, f"{errno.errorcode.get(error.errno or 0, 'no')} of its file system")
            return
        else:
            return


def holder(descriptor: int) -> int | None:
    """The process that holds the lock on this file; None where the system does not tell. Never raises.

    /proc/locks has `1: FLOCK  ADVISORY  WRITE 811 fd:01:131074 0 EOF`, with 0 for processes out of sight.
    """
    inode = os.fstat(descriptor).st_ino
    try:
        lines = [line.split() for line in LOCKS.read_text("ascii", "replace").splitlines()]
    except OSError:
        return None
    held = (words[4:6] for words in lines if words[1:2] == ["FLOCK"] and words[5:])
    return next((int(pid) for pid, file in held if pid != "0" and file.endswith(f":{inode}")), None)


def _is_trusted(pid: int) -> bool:
    """True for a process of ours, or root's, or one that has just ended."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid in {0, os.geteuid()}
    except OSError:
        return True


def _go_on(folder: Path, reason: str) -> None:
    said = f"{folder} cannot be locked ({reason}): do not set up or tear down twice at the same time"
    typer.echo(said, err=True)
