"""Small programs for providers to run, made by the test that wants them."""

from __future__ import annotations

import errno
import os
import shlex
from typing import TYPE_CHECKING

from tests.contract.provider_contract import Hanging

if TYPE_CHECKING:
    from pathlib import Path

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
