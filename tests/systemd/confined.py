"""What a program may do where it runs: answers, each named after the line of a unit that decides it.

`confined.py FILE` writes them into the file and prints a token: it is the token command of a feed, in the
service's sandbox and, to compare, in no unit at all. Next: `test_lines.py`.
"""

import ctypes
import json
import mmap
import os
import platform
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_TRACEME = 0
PER_LINUX32 = 0x0008
CLONE_NEWUSER = 0x10000000
NUMBERS = {"x86_64": {"ptrace": 101, "personality": 135}, "aarch64": {"ptrace": 117, "personality": 92}}
OWN_FOLDER = Path("/srv/own")
"""Anybody's to write to, and none of the daemon's."""


def refused(act: Callable[[], object]) -> str:
    """`refused` or `allowed`, by what the system says."""
    try:
        act()
    except OSError:
        return "refused"
    return "allowed"


def call(name: str, *arguments: int) -> None:
    """A system call by its name; raises OSError."""
    number = NUMBERS[platform.machine()][name]
    if LIBC.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def status(field: str) -> str:
    """A line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:"))


def refused_to_a_child(act: Callable[[], object]) -> str:
    """The same, tried by a child of ours, for what would change ourselves."""
    child = os.fork()
    if child == 0:
        os._exit(0 if refused(act) == "allowed" else 1)
    _, ended = os.waitpid(child, 0)
    return "allowed" if ended == 0 else "refused"


def set_id() -> None:
    """A program that runs as its owner."""
    made = Path(os.environ.get("TMPDIR") or "/tmp") / f"set-id-{os.getpid()}"
    made.touch()
    try:
        made.chmod(stat.S_ISUID | 0o755)
    finally:
        made.unlink()


def unshare() -> None:
    """A user namespace of its own for this process."""
    if LIBC.unshare(CLONE_NEWUSER) == -1:
        raise OSError(ctypes.get_errno(), "unshare")


def unusual_socket() -> None:
    """A socket of a family that every user may have and the daemon does not need."""
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()


def answers() -> dict[str, str]:
    """Everything that is tried."""
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    return {
        "PrivateUsers": " ".join(Path("/proc/self/uid_map").read_text().split()),
        "CapabilityBoundingSet": status("CapBnd"),
        "ProtectSystem": refused((OWN_FOLDER / f"probe-{os.getpid()}").touch),
        "PrivateDevices": "open" if Path("/dev/kmsg").exists() else "closed",
        "PrivateIPC": str(Path("/proc/self/ns/ipc").readlink()),
        "ProtectHostname": str(Path("/proc/self/ns/uts").readlink()),
        "MemoryDenyWriteExecute": refused(lambda: mmap.mmap(-1, 4096, prot=everything)),
        "InaccessiblePaths": refused(lambda: list(Path("/run/containerd").iterdir())),
        "RestrictSUIDSGID": refused(set_id),
        "LockPersonality": refused_to_a_child(lambda: call("personality", PER_LINUX32)),
        "RestrictNamespaces": refused_to_a_child(unshare),
        "RestrictAddressFamilies": refused(unusual_socket),
        "SystemCallFilter": refused_to_a_child(lambda: call("ptrace", PTRACE_TRACEME, 0, 0, 0)),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(answers()))
    sys.stdout.write("token-of-the-packages\n")
