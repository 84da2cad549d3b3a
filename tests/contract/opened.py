"""Which files below a directory were opened while something ran, told by the kernel (inotify(7))."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Self

IN_ACCESS, IN_OPEN = 0x1, 0x20
EVENT = struct.Struct("iIII")  # watch, mask, cookie, bytes of the name


class Opened:
    """Watches `directory` and the directories below it. `names()` has what was opened or read since."""

    def __init__(self, directory: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._descriptor >= 0, os.strerror(ctypes.get_errno())
        for folder in (directory, *(entry for entry in directory.rglob("*") if entry.is_dir())):
            watch = libc.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_ACCESS | IN_OPEN)
            assert watch >= 0, os.strerror(ctypes.get_errno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def names(self) -> list[str]:
        """Return the name of each event; a watched directory itself is the empty name."""
        try:
            events = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return []
        found = []
        while events:
            *_, name_bytes = EVENT.unpack_from(events)
            name = events[EVENT.size : EVENT.size + name_bytes]
            found.append(os.fsdecode(name.rstrip(b"\0")))
            events = events[EVENT.size + name_bytes :]
        return found
