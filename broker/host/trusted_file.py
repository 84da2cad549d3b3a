"""Reads files that other users or programs may have made: the one place that says whether to believe one.

`read` takes any regular file, whoever made it. `read_trusted` takes a file only where no user but this one
and root could have put it or can change it. Neither waits for a writer, reads past its limit, or opens a
device. Any failure is an UnreadableFile whose text may be shown: it names the path and quotes no content.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from shlex import quote
from typing import Self

from broker.core.uids import ROOT, UNMAPPED
from broker.host.whereabouts import home_of

LINKS_MAX = 40
"""Links followed on one path, as Linux has it (path_resolution(7))."""

PIECE_BYTES = 1 << 20
UID_MAP = Path("/proc/self/uid_map")

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

TEMPORARY = frozenset({Path("/tmp"), Path("/var/tmp")})  # noqa: S108 - named to be told apart, not to be used
"""Folders that all users share. One that lost its sticky bit is a fault of the machine."""

_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""O_PATH opens folders that we may pass through but not list, such as a home of mode 0711."""

_KINDS = (
    (stat.S_ISFIFO, "is a named pipe, not a regular file"),
    (stat.S_ISSOCK, "is a socket, not a regular file"),
    (stat.S_ISCHR, "is a device, not a regular file"),
    (stat.S_ISBLK, "is a device, not a regular file"),
)


class UnreadableFile(Exception):  # noqa: N818 - an outcome that callers translate
    """What is the matter with `subject`, the file or a folder or link on the way to it.

    `said` continues a sentence that begins with the path. `hint` is a line to type that repairs it, or None.
    """

    def __init__(self, subject: Path, said: str, *, hint: str | None = None, line: int | None = None) -> None:
        super().__init__(f"{subject} {said}" if line is None else f"{subject}, line {line}: {said}")
        self.subject = subject
        self.said = said
        self.hint = hint
        self.line = line

    def told_of(self, path: Path) -> str:
        """The failure after a colon, where `path` has been named already."""
        if self.subject != path:
            return str(self)
        return f"it {self.said}" if self.line is None else f"line {self.line}: {self.said}"


class MissingFile(UnreadableFile):
    """There is no such file. Where a link to one leads nowhere, that is the subject, and there is a hint."""


class UntrustedFile(UnreadableFile):
    """Another user made the file or a link or folder on the way, or could replace it.

    `closes`: where closing `subject` to other users repairs it, its mode without their writing.
    """

    closes: int | None = None


def read(
    path: Path,
    limit: int,
    *,
    owners: Collection[int] | None = None,
    judge: Callable[[os.stat_result], None] | None = None,
    beginning: bool = False,
) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    `owners`: the uids whose files are taken; None: anyone's. `judge` sees what was opened and may raise.
    `beginning` takes the first `limit` bytes of a longer one. Raises UnreadableFile.
    """
    with _failures_of(path):
        _refuse_special(path, path.stat())
        descriptor = os.open(path, _FILE)
        try:
            seen = os.fstat(descriptor)
            _refuse_special(path, seen)
            if owners is not None and seen.st_uid not in owners:
                raise UntrustedFile(path, f"belongs to another user (uid {seen.st_uid})")
            if judge is not None:
                judge(seen)
            return _content(path, descriptor, limit, beginning=beginning)
        finally:
            os.close(descriptor)


def read_trusted(path: Path, limit: int, *, unmapped: bool = False) -> bytes:
    """Return the content of a regular file that nobody but this user and root can write or replace.

    Each folder from / on, each symbolic link and the file must belong to one of the two, and be closed to the
    writing of others, as sshd demands of authorized_keys (sshd(8), StrictModes). A folder with the sticky bit
    is taken: others cannot rename what is ours in it (chmod(1)). `unmapped` also takes a file whose owner has
    no uid in this user namespace, which is how root's files look in a unit with PrivateUsers=. Raises
    UnreadableFile.
    """
    with _failures_of(path), _Walk.to(path) as walk:
        walk.refuse_untrusted_file(unmapped=unmapped)
        return _content(path, walk.descriptor, limit)


def why_untrusted(path: Path) -> UntrustedFile | None:
    """Why `read_trusted` refuses the file; None where it does not, and where it fails for another reason."""
    try:
        with _failures_of(path), _Walk.to(path) as walk:
            walk.refuse_untrusted_file()
    except UntrustedFile as failure:
        return failure
    except UnreadableFile:
        return None
    return None


def text_of(path: Path, content: bytes) -> str:
    """The content as UTF-8, without a byte order mark's removal. Raises UnreadableFile with the line."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(path, "not UTF-8: save the file as UTF-8", line=line) from None


def sees_root() -> bool:
    """False in a user namespace without root, such as our unit's sandbox: root's files look unowned."""
    try:
        lines = UID_MAP.read_text().splitlines()
    except OSError:
        return True  # no Linux, or no such namespaces
    return any(line.split()[0] == "0" for line in lines)


@dataclass
class _Walk:
    """A way from / to a file, one name at a time: what was checked is what was opened.

    `path` is where it has come to, without links; `descriptor` is that folder, in the end the file.
    """

    path: Path
    descriptor: int
    found: os.stat_result

    @classmethod
    def to(cls, path: Path) -> Self:
        """The whole way. Raises OSError, UnreadableFile."""
        descriptor = os.open("/", _FOLDER)
        walk = cls(Path("/"), descriptor, os.fstat(descriptor))
        try:
            walk._follow(path.absolute())
        except BaseException:
            os.close(walk.descriptor)
            raise
        return walk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def refuse_untrusted_file(self, *, unmapped: bool = False) -> None:
        """Raises UntrustedFile where the file at the end is another user's, or others can write it."""
        uid = self.found.st_uid
        if uid not in _owners() and not (unmapped and _is_unmapped(uid)):
            raise UntrustedFile(self.path, f"belongs to another user (uid {uid})")
        if self.found.st_mode & OTHERS_WRITE:
            raise _open_to_others(self.path, self.found, is_ours=uid == os.geteuid())

    def _follow(self, path: Path) -> None:
        pending, links = list(path.parts[:0:-1]), 0
        while pending:
            name = pending.pop()
            seen = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            if stat.S_ISLNK(seen.st_mode):
                links += 1
                if links > LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                self._refuse_replaceable(name, seen)
                target = PurePath(os.readlink(name, dir_fd=self.descriptor))
                if target.is_absolute():
                    self._enter("/", Path("/"))
                pending += target.parts[: 0 if target.is_absolute() else None : -1]
            elif pending:
                self._enter(name, self.path.parent if name == ".." else self.path / name)
            else:
                self._open_file(name, seen)

    def _enter(self, name: str, path: Path) -> None:
        descriptor = os.open(name, _FOLDER, dir_fd=self.descriptor)
        try:
            found = os.fstat(descriptor)
            if name != "/":
                self._refuse_replaceable(name, found)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self.descriptor)
        self.path, self.descriptor, self.found = path, descriptor, found

    def _open_file(self, name: str, seen: os.stat_result) -> None:
        path = self.path / name
        _refuse_special(path, seen)
        descriptor = os.open(name, _FILE | os.O_NOFOLLOW, dir_fd=self.descriptor)
        try:
            found = os.fstat(descriptor)
            _refuse_special(path, found)
            self._refuse_replaceable(name, found)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self.descriptor)
        self.path, self.descriptor, self.found = path, descriptor, found

    def _refuse_replaceable(self, name: str, entry: os.stat_result) -> None:
        """Raises UntrustedFile where another user made this entry of the folder, or could replace it."""
        is_file = stat.S_ISREG(entry.st_mode)
        folder_is_open = bool(self.found.st_mode & OTHERS_WRITE)
        is_known = entry.st_uid in _owners() or (not folder_is_open and _is_unmapped(entry.st_uid))
        if not is_file and not is_known:
            said = f"belongs to another user (uid {entry.st_uid})"
            hint = f"rm {quote(str(self.path / name))}" if stat.S_ISLNK(entry.st_mode) else None
            raise UntrustedFile(self.path / name, said, hint=hint)
        if not folder_is_open or self.found.st_mode & stat.S_ISVTX:
            return
        is_closed_folder = stat.S_ISDIR(entry.st_mode) and not entry.st_mode & OTHERS_WRITE
        if self.path in TEMPORARY and is_closed_folder:
            return
        is_ours = self.found.st_uid == os.geteuid() and self.path not in TEMPORARY
        in_home = self.path.is_relative_to(_home())
        raise _open_to_others(
            self.path, self.found, is_ours=is_ours and (in_home or not stat.S_ISDIR(entry.st_mode))
        )


def _open_to_others(path: Path, found: os.stat_result, *, is_ours: bool) -> UntrustedFile:
    mode = stat.S_IMODE(found.st_mode)
    said = f"can be written by others (mode {mode:04o})"
    if not is_ours:
        return UntrustedFile(path, f"{said}: keep the file in a folder that only you can write")
    failure = UntrustedFile(path, said, hint=f"chmod go-w {quote(str(path))}")
    failure.closes = mode & ~OTHERS_WRITE
    return failure


def _owners() -> set[int]:
    return {os.geteuid(), ROOT}


def _is_unmapped(uid: int) -> bool:
    return uid == UNMAPPED and not sees_root()


def _home() -> Path:
    return Path(os.path.realpath(home_of(os.environ)))


def _refuse_special(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))  # as a read of it would
    for is_kind, said in _KINDS:
        if is_kind(found.st_mode):
            raise UnreadableFile(path, said, hint=f"ls -l {quote(str(path))}")


def _missing(path: Path) -> MissingFile:
    with contextlib.suppress(OSError):
        for each in (path, *path.parents):
            if each.is_symlink() and not each.exists():
                said = f"is a link to {each.readlink()}, which is missing"
                return MissingFile(each, said, hint=f"ls -l {quote(str(each))}")
    return MissingFile(path, "does not exist")


def _content(path: Path, descriptor: int, limit: int, *, beginning: bool = False) -> bytes:
    """Read to the end, whatever size the file is said to have: /proc has files of none with a content."""
    wanted = limit if beginning else limit + 1
    content = bytearray()
    while len(content) < wanted:
        piece = os.read(descriptor, min(PIECE_BYTES, wanted - len(content)))
        if not piece:
            break
        content += piece
    if len(content) > limit:
        raise UnreadableFile(path, f"is larger than {_size(limit)}")
    return bytes(content)


def _size(limit: int) -> str:
    return f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"


@contextlib.contextmanager
def _failures_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path) from None
    except IsADirectoryError:  # Docker makes an empty one where it is to mount a file that is not there
        raise UnreadableFile(
            path, "cannot be read: is a directory", hint=f"rmdir {quote(str(path))}"
        ) from None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise UnreadableFile(path, f"cannot be read: {reason}", hint=f"ls -l {quote(str(path))}") from None
    except ValueError:  # a NUL or half a surrogate, from a file that names files
        raise MissingFile(path, "is not a path") from None
