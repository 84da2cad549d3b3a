"""The daemon's socket: `take` makes a folder that only this user can enter, for one daemon at most.

Three things keep other users out, each enough alone: the directory is ours and 0700, the socket is 0600
before its name is known, and `acceptor.py` checks every peer's uid. A socket handed over by a service manager
is `socket_activation.py`'s; `start.lock` in the same directory belongs to the shim and is never touched here.
"""

import contextlib
import errno
import fcntl
import logging
import os
import shlex
import socket
import stat
import sys
from pathlib import Path
from typing import NamedTuple

from broker.core.failures import Failure
from broker.core.shortage import NO_ROOM
from broker.server.ucred import peer_of

SUN_PATH_BYTES_MAX = 103 if sys.platform == "darwin" else 107
"""The longest socket path: sizeof(sun_path) without its final NUL (unix(7); macOS <sys/un.h>)."""

BACKLOG = 4096
"""Connections that may wait to be accepted; the kernel cuts it to net.core.somaxconn."""

LOCK_NAME = "broker.lock"

BY_VARIABLE = "export TOKEN_BROKER_SOCKET="
"""How the line begins that names another place for a socket which a variable named."""

EVERYBODYS = Path("/tmp")  # noqa: S108 - never used here, only named: with a folder of 0700 in it
"""Where every user can make a folder."""

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
"""What flock(2) answers on some network and FUSE file systems."""

log = logging.getLogger("broker.daemon")

_LOCK_TRIES = 10
"""How often a lock file may vanish between open and flock before we give up."""


class NotListening(Failure):
    """The socket cannot be had: `detail` says why, `hint` is the command that repairs it."""


class Taken(NotListening):
    """Another process serves here: `pid` is its id, or None when it cannot be known.

    `answers`: it accepts connections at `path`; else it holds the folder's lock, and serves another name or
    none yet.
    """

    def __init__(self, pid: int | None, path: Path, *, answers: bool = True) -> None:
        server = "another process" if pid is None else f"process {pid}"
        if answers:
            super().__init__(f"{server} already serves {path}", hint="brokerctl status")
        else:
            super().__init__(f"{server} has the folder {path.parent}: a broker wants a folder of its own")
        self.pid = pid
        self.path = path


class FileIdentity(NamedTuple):
    """What tells one file from every other that exists now."""

    device: int
    inode: int


class Listener:
    """A listening socket at `path` that no other process serves, until `close`."""

    def __init__(
        self, listening: socket.socket, path: Path, identity: FileIdentity, directory: int, lock: int
    ) -> None:
        self.socket = listening
        self.path = path
        self._identity = identity
        self._directory = directory
        self._lock = lock

    def is_still_ours(self) -> bool:
        """True while clients that connect by the path reach this socket. Cheap; never raises."""
        return identity_at(self.path) == self._identity

    def close(self) -> None:
        """Stop listening, remove the socket if it is still the one we bound, and release the lock."""
        if self._lock < 0:
            return
        if identity_at(self.path.name, self._directory) == self._identity:
            os.unlink(self.path.name, dir_fd=self._directory)
        self.socket.close()
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
        os.close(self._lock)
        os.close(self._directory)
        self._lock = -1


def take(path: Path, *, named_by: str | None = BY_VARIABLE) -> Listener:
    """Return a Listener at the absolute `path`; its directory is created when missing.

    `named_by` is what own_directory() makes of it. Raises Taken when another process serves there,
    NotListening for a path that no socket can have or a place that is not ours alone.
    """
    refuse_what_no_socket_can_have(path)
    with contextlib.ExitStack() as undo:
        directory = own_directory(path.parent, named_by)
        undo.callback(os.close, directory)
        lock = _exclusive_lock(directory, path)
        undo.callback(os.close, lock)
        _refuse_what_is_no_stale_socket(directory, path, named_by)
        listening, identity = bind(directory, path)
        undo.pop_all()
        return Listener(listening, path, identity, directory, lock)


def refuse_what_no_socket_can_have(path: Path) -> None:
    """Raise NotListening for an absolute path that is too long, or that of a folder by its spelling alone."""
    if path.name in {"", ".."}:  # Path itself has dropped `.` and the slashes at the end
        raise NotListening(f"{path} is a folder, and a socket needs a name in one")
    if len(os.fsencode(path)) > SUN_PATH_BYTES_MAX:
        raise NotListening(
            f"the socket path is longer than this system's {SUN_PATH_BYTES_MAX} bytes: {path}",
            hint="export TOKEN_BROKER_SOCKET=/a/shorter/path",
        )


def own_directory(directory: Path, named_by: str | None = None) -> int:
    """A descriptor of the directory, which is real, ours and closed to everybody else; made when missing.

    `named_by` is None where the broker itself makes this directory for its socket: only there do hints change
    it. Elsewhere it begins the line that names a place, and hints name a folder for the socket alone.
    """
    try:
        for missing in reversed([p for p in (directory, *directory.parents) if not os.path.lexists(p)]):
            with contextlib.suppress(FileExistsError):
                # 0700 from its first moment: a later chmod would leave a moment for other users
                missing.mkdir(mode=0o700)
        found = os.lstat(directory)
    except OSError as error:
        hint = _room_for(directory / "broker.sock") if error.errno in NO_ROOM else None
        raise NotListening(f"the directory {directory} cannot be made: {_why(error)}", hint=hint) from error
    place, away = shlex.quote(str(directory)), shlex.quote(f"{directory}.not-mine")
    if stat.S_ISLNK(found.st_mode):
        what = f"{directory} is a symbolic link, not a directory"
        raise _not_there(what, EVERYBODYS, named_by, f"rm {place}")
    if not stat.S_ISDIR(found.st_mode):
        raise _not_there(f"{directory} is not a directory", EVERYBODYS, named_by, f"mv {place} {away}")
    if found.st_uid != os.geteuid():
        what = f"the directory {directory} belongs to another user (uid {found.st_uid})"
        raise _not_there(what, EVERYBODYS, named_by, f"sudo mv {place} {away}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        what = f"the directory {directory} is open to other users"
        raise _not_there(what, directory, named_by, f"chmod 700 {place}")
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        what = f"the directory {directory} cannot be entered: {_why(error)}"
        raise _not_there(what, EVERYBODYS, named_by, f"chmod 700 {place}") from error
    opened = os.fstat(descriptor)
    if (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
        os.close(descriptor)
        raise NotListening(f"the directory {directory} was replaced while it was being checked")
    return descriptor


def _not_there(what: str, where: Path, named_by: str | None, command: str) -> NotListening:
    """The failure; its hint is `command` or, for a named place, a folder for the socket alone in `where`."""
    if named_by is None:
        return NotListening(what, hint=command)
    own = where / f"token-broker-{os.geteuid()}" / "broker.sock"
    return NotListening(
        f"{what}: the socket wants a folder of its own", hint=f"{named_by}{shlex.quote(str(own))}"
    )


def _exclusive_lock(directory: int, path: Path) -> int:
    """A descriptor that holds the directory's lock with our pid written in it; the lock file itself stays.

    The lock is the kernel's and ends with the process, however that ends; the pid is only for messages, and a
    full disk or a file size limit of zero keeps no broker from serving. Where the file system has no locks, a
    broker that accepts connections still keeps a second one away, but not one that starts in the same moment.
    """
    where = path.parent / LOCK_NAME
    for _ in range(_LOCK_TRIES):
        try:
            lock = os.open(
                LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory
            )
        except OSError as error:
            hint = f"rm -f {shlex.quote(str(where))}"
            if error.errno == errno.EISDIR:
                hint = _moving(where)
            elif error.errno in NO_ROOM:
                hint = _room_for(path)
            raise NotListening(f"the lock {where} cannot be opened: {_why(error)}", hint=hint) from error
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, lock)
            found = os.fstat(lock)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != os.geteuid():
                raise NotListening(
                    f"the lock {where} is not a file of ours alone", hint=f"rm -f {shlex.quote(str(where))}"
                )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _refuse_if_served(path)
                raise Taken(_pid_in(lock), path, answers=False) from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise NotListening(f"the lock {where} cannot be taken: {_why(error)}") from error
                log.warning("no_lock path=%s reason=%s", where, _why(error))
            if identity_at(LOCK_NAME, directory) != (found.st_dev, found.st_ino):
                continue  # removed meanwhile: the next process would open and lock another file
            with contextlib.suppress(OSError):
                os.ftruncate(lock, 0)
                os.pwrite(lock, b"%d\n" % os.getpid(), 0)
            undo.pop_all()
            return lock
    raise NotListening(f"the lock {where} keeps being removed")


def _pid_in(lock: int) -> int | None:
    """The pid that the lock's holder wrote, if such a process lives: after a kill it may be an older one."""
    try:
        pid = int(os.pread(lock, 20, 0))
        os.kill(pid, 0)
    except (ValueError, OSError):
        return None
    return pid


def _refuse_if_served(path: Path) -> None:
    """Raise Taken when the path accepts connections."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(os.fspath(path))
        except BlockingIOError:
            raise Taken(None, path) from None  # its backlog is full: busy, not gone
        except OSError:
            return
        server = peer_of(probe)
    raise Taken(None if server is None else server.pid, path)


def _refuse_what_is_no_stale_socket(directory: int, path: Path, named_by: str | None) -> None:
    """Raise unless the path is free or holds a socket of ours without a listener."""
    try:
        found = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise _not_there(f"{path} is a folder, not a socket", path.parent, named_by, _moving(path))
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        clearing = f"rm {shlex.quote(str(path))}"
        raise _not_there(f"{path} is not a socket of ours", path.parent, named_by, clearing)
    _refuse_if_served(path)


def bind(directory: int, path: Path) -> tuple[socket.socket, FileIdentity]:
    """Listen under a temporary name, then rename: no client finds a wrong mode or an unserved socket."""
    # of the same length, so that it fits where the path does
    name = path.name[:-1] + ("~" if path.name[-1] != "~" else "-")
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listening.settimeout(0)
        if sys.platform == "linux":
            # bind(2) gives the file the socket's own mode (unix_bind_bsd of net/unix/af_unix.c); elsewhere it
            # is open for a moment, in a directory that no other user can enter. The umask is every thread's.
            # Not by its name: a container could put a link there, to any file of ours.
            os.fchmod(listening.fileno(), 0o600)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)  # a predecessor's, killed between bind and rename
            listening.bind(os.fspath(path.with_name(name)))
        except OSError as error:
            hint = _room_for(path) if error.errno in NO_ROOM else None
            raise NotListening(f"the socket {path} cannot be made: {_why(error)}", hint=hint) from error
        try:
            if sys.platform != "linux":
                os.chmod(name, 0o600, dir_fd=directory, follow_symlinks=False)
            listening.listen(BACKLOG)
            identity = identity_at(name, directory)
            os.rename(name, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            # bind goes by path: a directory replaced meanwhile has not got the name
            raise NotListening(f"the socket {path} cannot be put in its place: {_why(error)}") from error
        if identity is None:
            raise NotListening(f"the socket {path} vanished while it was being made")
        undo.pop_all()
        return listening, identity


def _moving(folder: Path) -> str:
    """The command that clears the place of a folder, which may hold something."""
    return f"mv {shlex.quote(str(folder))} {shlex.quote(f'{folder}.not-mine')}"


def _room_for(path: Path) -> str:
    """The command that shows where there is no room. /tmp may be another file system, or the same one."""
    return f"df -h {shlex.quote(str(_nearest(path)))}"


def _nearest(path: Path) -> Path:
    return next((each for each in path.parents if each.is_dir()), Path("/"))


def identity_at(name: str | Path, directory: int | None = None) -> FileIdentity | None:
    """What is there under this name, or None; a link is not followed."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return None
    return FileIdentity(found.st_dev, found.st_ino)


def _why(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a symbolic link"
    return (error.strerror or "unknown error").lower()
