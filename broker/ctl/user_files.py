"""The user's files, read and replaced whole; every failure is a CommandError that names the file.

Links are followed: a settings file that is kept in a dotfiles folder stays there.
"""

import os
import stat
from pathlib import Path
from shlex import quote

from broker.core.shortage import NO_ROOM
from broker.ctl.command_error import CommandError
from broker.host.file_writing import replace_file, sync_folder
from broker.host.trusted_file import MissingFile, UnreadableFile, read

NEW_FOLDER = 0o700
FILE_BYTES_MAX = 16 * 1024 * 1024
"""As much as a configuration may have."""


def content_of(path: Path) -> bytes | None:
    """What is in the file, or None where there is none. Raises CommandError when it cannot be read."""
    try:
        return read(path, FILE_BYTES_MAX)
    except MissingFile:
        return None
    except UnreadableFile as failure:
        raise CommandError(str(failure), hint=f"ls -ld {quote(str(path))}") from None


def text_of(path: Path) -> str:
    """The file's text, empty where there is none. Raises CommandError when it cannot be read as UTF-8."""
    try:
        return (content_of(path) or b"").decode()
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8") from None


def mode_of(path: Path) -> int | None:
    """The file's permissions, or None where there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def put(path: Path, content: bytes, mode: int, temporary: Path | None = None) -> None:
    """Replace the file, or the one it links to, by one with this content. Its folder is there. Raises
    CommandError. `temporary`: as in `replace_file`.
    """
    try:
        replace_file(path.resolve(), content, mode, temporary)
    except OSError as error:
        raise trouble(path, "written", error) from None


def missing_folders(path: Path) -> list[Path]:
    """The folder and those above it, as far as they are missing, the outermost first."""
    return [each for each in (path, *path.parents) if not os.path.lexists(each)][::-1]


def make_folders(path: Path, mode: int = NEW_FOLDER) -> None:
    """Make the folder and those above it that are missing. Raises CommandError."""
    try:
        for folder in missing_folders(path):
            folder.mkdir(mode=NEW_FOLDER)
            if mode != NEW_FOLDER:
                folder.chmod(mode)  # whatever the umask takes from mkdir's
    except OSError as error:
        raise trouble(path, "made", error) from None


def move(path: Path, to: Path) -> None:
    """Rename within a file system; what is at `to` is replaced. Raises CommandError."""
    try:
        path.rename(to)
        sync_folder(to.parent)
    except OSError as error:
        raise trouble(to, "made", error) from None


def is_own_folder(path: Path) -> bool:
    """True for a folder, not a link to one, that belongs to this user. Never raises."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def trouble(path: Path, what: str, error: OSError) -> CommandError:
    """The failure to do something with the path: `what` is the verb, as in "written"."""
    is_full = error.errno in NO_ROOM  # a link that leads nowhere has no file system, and is to be seen
    is_there = Path.is_dir if is_full else os.path.lexists
    there = quote(str(next(folder for folder in path.parents if is_there(folder))))
    hint = f"df -h {there}" if is_full else f"ls -ld {there}"
    return CommandError(f"{path} cannot be {what}: {str(error.strerror).lower()}", hint=hint)
