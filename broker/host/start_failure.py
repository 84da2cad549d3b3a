"""Why a program that lies on the disk cannot be run: execve(2) gives only a number."""

import errno
import os
import stat
import subprocess
from pathlib import Path

from broker.core.shortage import shortage_of
from broker.host.program_search import search

FIRST_LINE_BYTES = 256
"""Linux reads no more of a script than this for its interpreter (BINPRM_BUF_SIZE)."""

NOEXEC = getattr(os, "ST_NOEXEC", 0)
"""Linux has it; elsewhere the reason is told as a missing permission."""

INTERPRETERS_MAX = 5
"""Linux follows no more scripts that are each other's interpreters (execve(2))."""

_REASONS = {
    errno.ENOEXEC: "it is neither a program for this machine nor a script that begins with #!",
    errno.E2BIG: "its arguments and its environment are too long together",
    errno.ELOOP: "its interpreter is a script whose interpreter is a script, and so on",
    errno.EPERM: "this machine does not permit it",
}


def why_not_run(program: str, error: OSError | None = None) -> str:
    """The reason, with the file meant; `error` is what execve raised, None for a file that is not executable.

    One printable line. Never raises. Reads the first line of a script, and of its interpreter.
    """
    reason = _why_not_executable(program) if error is None else _why_not_started(program, error)
    return "".join(letter if letter.isprintable() else "?" for letter in reason)


def _why_not_started(program: str, error: OSError, interpreted: int = 0) -> str:
    line = _first_line_of(program)
    words = line.removeprefix(b"#!").split() if line.startswith(b"#!") else []
    interpreter = os.fsdecode(words[0]) if words else None
    if error.errno not in {errno.EACCES, errno.ENOENT}:
        return _REASONS.get(error.errno or 0) or (error.strerror or "for an unknown reason").lower()
    if interpreter is None and error.errno == errno.ENOENT:
        return f"the loader that {program} names is missing: it was built for another system"
    if interpreter is None:
        return _why_not_executable(program)
    if line.endswith(b"\r") and len(words) == 1:
        return "its first line ends as on Windows, in CR LF"
    if error.errno == errno.EACCES or not Path(interpreter).exists() or interpreted == INTERPRETERS_MAX:
        return f"its interpreter {_why_not_executable(interpreter)}"
    return f"its interpreter: {_why_not_started(interpreter, error, interpreted + 1)}"


def _why_not_executable(program: str) -> str:
    try:
        mode = Path(program).stat().st_mode
        is_noexec = bool(os.statvfs(program).f_flag & NOEXEC)
    except OSError as error:
        return _why_not_there(program, error)
    if stat.S_ISDIR(mode):
        return f"{program} is a folder"
    if is_noexec and mode & 0o111:
        return f"{program} lies on a file system that is mounted noexec"
    return f"{program} is not executable for this user"


def _why_not_there(program: str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return f"{program} is a link that leads to itself"
    if error.errno != errno.ENOENT:
        return f"{program} is not executable for this user"
    if Path(program).is_symlink():
        return f"{program} is a link to {Path(program).readlink()}, which is missing"
    return f"{program} is missing"


def no_outcome(program: str, error: OSError | subprocess.TimeoutExpired) -> str:
    """Why a run of a program that is looked up on PATH brought nothing: absent, not started, or no end."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{program} did not end within {error.timeout:g} s"
    shortage = shortage_of(error)
    if shortage is not None:
        return f"{program} could not be started: {shortage}"
    found = search(program, os.environ.get("PATH", os.defpath), relative=True)
    if found is None:
        return f"{program} is not installed, or not on PATH"
    return f"{program} could not be started: {why_not_run(found.path, error)}"


def _first_line_of(program: str) -> bytes:
    """Without its LF; nothing where it cannot be read."""
    try:
        descriptor = os.open(program, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", 0) as opened:
            return opened.read(FIRST_LINE_BYTES).partition(b"\n")[0]
    except OSError:
        return b""
