"""Why a program that lies on the disk cannot be run: execve(2) gives only a number."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

from broker.core.shortage import shortage_of

FIRST_LINE_BYTES = 256
"""Linux reads no more of a script than this for its interpreter (BINPRM_BUF_SIZE)."""

_REASONS = {
    errno.ENOEXEC: "it is neither a program for this machine nor a script that begins with #!",
    errno.E2BIG: "its arguments and its environment are too long together",
    errno.ELOOP: "its interpreter is a script whose interpreter is a script, and so on",
    errno.EPERM: "this machine does not permit it",
}


def why_not_run(program: str, error: OSError | None = None) -> str:
    """The reason, with the file meant; `error` is what execve raised, None for a file that is not executable.

    Never raises. Reads the first line of a script, and nothing else.
    """
    if error is None:
        return f"{program} is not executable for this user"
    interpreter = _interpreter_of(program)
    if error.errno == errno.ENOENT:
        if interpreter is None:
            return f"the loader that {program} names is missing: it was built for another system"
        return f"its interpreter {interpreter} is missing"
    if error.errno == errno.EACCES:
        return f"permission to run {interpreter or program} is denied"
    return _REASONS.get(error.errno or 0) or (error.strerror or "for an unknown reason").lower()


def no_outcome(program: str, error: OSError | subprocess.TimeoutExpired) -> str:
    """Why a run of a program that is looked up on PATH brought nothing: absent, not started, or no end."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{program} did not end within {error.timeout:g} s"
    shortage = shortage_of(error)
    if shortage is not None:
        return f"{program} could not be started: {shortage}"
    found = shutil.which(program)
    if found is None:
        return f"{program} is not installed, or not on PATH"
    return f"{program} could not be started: {why_not_run(found, error)}"


def _interpreter_of(program: str) -> str | None:
    """What stands after the #! of a script."""
    try:
        descriptor = os.open(program, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", 0) as opened:
            line = opened.read(FIRST_LINE_BYTES).partition(b"\n")[0]
    except OSError:
        return None
    words = line.removeprefix(b"#!").split() if line.startswith(b"#!") else []
    return str(Path(os.fsdecode(words[0]))) if words else None
