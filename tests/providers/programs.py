"""Small programs for providers to run, made by the test that wants them."""

from __future__ import annotations

import errno
import os
import platform
import shlex
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract.provider_contract import Hanging

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.core.feeds import Feed


class Workshop:
    """Makes shell scripts in a folder that comes first on its `environ`'s PATH, with a home beside it."""

    def __init__(self, folder: Path, path: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self._started = folder / "started"
        os.mkfifo(self._started)
        self.environ = {"PATH": f"{folder}:{path}", "HOME": str(self.home)}

    def script(self, name: str, body: str) -> str:
        """An executable shell script; returns its name, which PATH finds."""
        made = self.folder / name
        made.write_text(f"#!/bin/sh\n{body}\n")
        made.chmod(0o755)
        return name

    def printer(self, name: str, output: str, *, complaint: str = "", code: int = 0) -> str:
        """A script that prints, complains and ends."""
        said = f"printf %s {shlex.quote(output)}; printf %s {shlex.quote(complaint)} >&2; exit {code}"
        return self.script(name, said)

    def file(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        """A file in the home."""
        made = self.home / name
        made.write_bytes(content if isinstance(content, bytes) else content.encode())
        made.chmod(mode)
        return made

    def hanger(self, name: str) -> str:
        """A script that tells its process id to `started_pid` and then never ends."""
        return self.script(name, f"echo $$ > {shlex.quote(str(self._started))}; exec sleep 600")

    def started_pid(self) -> int:
        """The process id of the hanger; blocks until one was started."""
        return int(self._started.read_text())


def _script(first_line: str, mode: int = 0o755) -> Callable[[Path], None]:
    def write(program: Path) -> None:
        program.write_bytes(f"{first_line}\nexit 0\n".encode())
        program.chmod(mode)

    return write


def _with_interpreter(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def write(program: Path) -> None:
        interpreter = program.with_name("interpreter")
        make(interpreter)
        _script(f"#!{interpreter}")(program)

    return write


def _binary(content: bytes) -> Callable[[Path], None]:
    def write(program: Path) -> None:
        program.write_bytes(content)
        program.chmod(0o755)

    return write


def elf(machine: int, loader: bytes = b"/lib/ld-of-another-system.so.1\0") -> bytes:
    """An ELF program of 64 bits that wants this loader and nothing else (elf(5))."""
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    wants = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(loader), len(loader), 1)
    return header + wants + loader


X86_64, AARCH64 = 62, 183
OWN, FOREIGN = (AARCH64, X86_64) if platform.machine() == "aarch64" else (X86_64, AARCH64)

BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "interpreter gone": (_script("#!/no/such/python3"), "its interpreter /no/such/python3 is missing"),
    "interpreter a dangling link": (
        _with_interpreter(lambda path: path.symlink_to("/no/such/python3")),
        r"its interpreter \S+ is a link to /no/such/python3, which is missing",
    ),
    "interpreter not executable": (
        _with_interpreter(lambda path: path.write_text("")),
        r"its interpreter \S+ is not executable for this user",
    ),
    "interpreter a folder": (_with_interpreter(Path.mkdir), r"its interpreter \S+ is a folder"),
    "interpreter without its loader": (
        _with_interpreter(_binary(elf(OWN))),
        r"its interpreter: the loader that \S+ names is missing: it was built for another system",
    ),
    "line ends of Windows": (_script("#!/bin/sh\r"), "its first line ends as on Windows, in CR LF"),
    "loader gone": (
        _binary(elf(OWN)),
        "the loader that .* names is missing: it was built for another system",
    ),
    "another machine's": (_binary(elf(FOREIGN)), "it is neither a program for this machine nor a script"),
    "empty": (_binary(b""), "it is neither a program for this machine nor a script"),
    "no permission": (_script("#!/bin/sh", mode=0o644), "is not executable for this user"),
    "a dangling link": (
        lambda path: path.symlink_to("/no/such/tool"),
        "is a link to /no/such/tool, which is missing",
    ),
    "links in a circle": (lambda path: path.symlink_to(path), "is a link that leads to itself"),
    "a wrapper of what is gone": (  # Debian's az: a script that starts /opt/az/bin/python3
        _script("#!/bin/sh\n/no/such/python3 -Im azure.cli; exit $?"),
        r"a program that it starts is missing \(exit code 127\)",
    ),
    "a wrapper by env": (
        _script("#!/usr/bin/env no-such-python3"),
        r"a program that it starts is missing \(exit code 127\)",
    ),
    "a wrapper of what may not run": (
        _script("#!/bin/sh\n/etc/passwd; exit $?"),
        r"a program that it starts cannot be run \(exit code 126\)",
    ),
}
"""How a program can be there and not run, and what is told of it, after "cannot be run: "."""


def no_more_processes(*_: object, **__: object) -> None:
    """In place of subprocess.Popen: what fork answers to a user at the limit of processes."""
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def hanging(feed: Feed, workshop: Workshop) -> Hanging:
    """The feed of a provider that runs the workshop's hanger and waits for it."""
    seen: list[int] = []
    return Hanging(feed, begun=lambda: seen.append(workshop.started_pid()), left=lambda: running(*seen))


def running(*pids: int) -> list[int]:
    """Those of the processes that still exist, unreaped ones included."""
    return [pid for pid in pids if _exists(pid)]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
