"""The processes of this machine, as Linux's /proc has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def in_proc(file: str) -> Iterator[tuple[int, bytes]]:
    """The id of each process whose /proc/PID/FILE this user may read, and what it says.

    One that ends meanwhile is left out. Other users' processes and other tests' come, too: text is no UTF-8.
    """
    for process in Path("/proc").iterdir():  # no glob: it raises for a process that ends while it looks at it
        if not process.name.isdecimal():
            continue
        try:
            said = (process / file).read_bytes()
        except OSError:
            continue
        yield int(process.name), said
