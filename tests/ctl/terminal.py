"""brokerctl on a terminal of its own, where a person types."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 4096


def typed(*arguments: str, answers: tuple[str, ...]) -> tuple[int, str]:
    """Run brokerctl on a terminal, type the answers one line each; its exit code and all that was seen."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
        child = subprocess.Popen(
            [sys.executable, "-m", "broker.ctl.app", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
    finally:
        os.close(theirs)
    seen = b"".join(_read(ours)).decode()
    os.close(ours)
    return child.wait(), seen.replace("\r\n", "\n")


def _read(terminal: int) -> Iterator[bytes]:
    """What is written to the terminal until nobody has it open."""
    with contextlib.suppress(OSError):  # Linux says EIO then
        while chunk := os.read(terminal, CHUNK):
            yield chunk
