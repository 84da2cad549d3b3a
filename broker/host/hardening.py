"""Keeping the daemon's memory from the other programs of its own user, and from core files.

Root reads everything, and `exec` undoes it: a child such as az is as readable as any program.
"""

import ctypes
import resource
import sys
from typing import NamedTuple

_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
"""Linux <sys/prctl.h>: PR_SET_DUMPABLE(2const)."""

_PT_DENY_ATTACH = 31
"""macOS <sys/ptrace.h>. Not run on a Mac."""


class Privacy(NamedTuple):
    """What took effect: memory closed to other programs of our user, and no core file ever."""

    memory_is_closed: bool
    core_is_off: bool


def close_to_others() -> Privacy:
    """Close the process as far as the system allows, and say how far that was. Never raises.

    Linux refuses others /proc/PID/{mem,environ,maps,fd}, ptrace, process_vm_readv and pidfd_getfd; macOS only
    refuses debuggers.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        core_is_off = True
    except (OSError, ValueError):
        core_is_off = False
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            memory_is_closed = library.ptrace(_PT_DENY_ATTACH, 0, None, 0) == 0
        else:
            library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
            memory_is_closed = library.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
    except (OSError, AttributeError):
        memory_is_closed = False
    return Privacy(memory_is_closed, core_is_off)
