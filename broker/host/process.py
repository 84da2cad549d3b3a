"""Child processes (az, gcloud, helpers), none of which outlives its limit.

A child gets no stdin, a session of its own and a time limit. At the limit, at too much output and on
cancelling, everything it started is killed: its process group at once, then by `process_tree.py` the
processes that left the group. A child that ends in time leaves its own background processes alone: a helper
may start an agent on purpose. Output may hold secrets: it is never logged here and never part of an
exception.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from broker.host.process_tree import ChildMark

OUTPUT_BYTES = 1 << 20
"""`az account get-access-token` prints 2 to 4 kB."""

CHUNK_BYTES = 65536

GRACE_S = 0.4
"""How long we wait for a killed child to be gone; one that the kernel holds longer is left to it."""


class RunFailure(Exception):  # noqa: N818 - a family of outcomes
    """The program did not come to its own end; the message names it and nothing that it wrote."""

    def __init__(self, program: str, what: str) -> None:
        super().__init__(f"{program} {what}")
        self.program = program


class NotFound(RunFailure):
    """The program is not on the path, or cannot be run."""

    def __init__(self, program: str) -> None:
        super().__init__(program, "was not found or cannot be run")


class TimedOut(RunFailure):
    """The program did not end within its limit, and was killed with all it had started."""

    def __init__(self, program: str, limit_s: float) -> None:
        super().__init__(program, f"did not end within {limit_s:g} s")
        self.limit_s = limit_s


class TooMuchOutput(RunFailure):
    """The program wrote more than it may, and was killed with all it had started."""

    def __init__(self, program: str) -> None:
        super().__init__(program, "wrote more than it may")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended that did so in time; `code` is minus the signal's number if it died of one."""

    code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)


def find(program: str, path: str) -> str | None:
    """Return the program's absolute path by a PATH, whose empty and relative entries are skipped, or None."""
    entries = [entry for entry in path.split(os.pathsep) if Path(entry).is_absolute()]
    found = shutil.which(program, path=os.pathsep.join(entries))
    return found if found is not None and Path(found).is_absolute() else None


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    limit_s: float,
    output_bytes: int = OUTPUT_BYTES,
    cwd: str = "/",
) -> Finished:
    """Run a program, found by the PATH of `env` (None: our own environment), and return how it ended.

    Raises NotFound, TimedOut within half a second of the limit, TooMuchOutput when one of its two streams
    exceeds `output_bytes`. Safe to cancel. It ends when the child does, even if a grandchild keeps its pipes.
    """
    environment = dict(os.environ if env is None else env)
    program = find(argv[0], environment.get("PATH", os.defpath))
    if program is None:
        raise NotFound(argv[0])
    child = _Child(argv, program, environment, cwd, output_bytes)
    try:
        await child.ended(limit_s)
    except TimeoutError:
        await child.kill()
        raise TimedOut(argv[0], limit_s) from None
    except BaseException:
        await child.kill()
        raise
    finally:
        child.close()
    return child.finished()


class _Child:
    """A running child and our ends of its pipes."""

    def __init__(
        self, argv: Sequence[str], program: str, environment: dict[str, str], cwd: str, output_bytes: int
    ) -> None:
        self._mark = ChildMark()
        try:
            self._popen = subprocess.Popen(
                argv,
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=self._mark.on(environment),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise NotFound(argv[0]) from error
        self._program = argv[0]
        self._exit = _Exit(self._popen)
        self._stdout = _Stream(self._popen.stdout, output_bytes)
        self._stderr = _Stream(self._popen.stderr, output_bytes)

    async def ended(self, limit_s: float) -> None:
        """Return when the child has ended and its output is read; raises TimeoutError and TooMuchOutput."""
        async with asyncio.timeout(limit_s):
            futures = (self._exit.future, self._stdout.flooded, self._stderr.flooded)
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        for stream in (self._stdout, self._stderr):
            stream.drain()
            if stream.flooded.done():
                raise TooMuchOutput(self._program)

    async def kill(self) -> None:
        """Kill the child and all it started; returns within GRACE_S."""
        self._kill_below()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._exit.future
        # once more: a process in the middle of execve was not recognised
        self._kill_below()

    def _kill_below(self) -> None:
        # a child that was reaped (by _Exit's thread) no longer owns its number: another group may have it
        if self._popen.returncode is None:
            self._mark.kill_below(self._popen.pid)

    def close(self) -> None:
        """Close our ends of the child's pipes, whatever other process holds theirs."""
        self._exit.close()
        self._stdout.close()
        self._stderr.close()
        self._popen.poll()

    def finished(self) -> Finished:
        """How the child ended."""
        return Finished(self._popen.wait(), bytes(self._stdout.content), bytes(self._stderr.content))


class _Exit:
    """A future that is done when the child has ended. Where there are pidfds this does not reap the child."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()
        self._fd = -1
        try:
            self._fd = os.pidfd_open(popen.pid)
        except (AttributeError, OSError):  # macOS, Linux before 5.3, some portable builds of Python
            threading.Thread(target=self._wait, args=[popen], daemon=True).start()
        else:
            self._loop.add_reader(self._fd, self._ended)

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _wait(self, popen: subprocess.Popen[bytes]) -> None:
        popen.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits any more
            self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        self.close()
        if not self.future.done():
            self.future.set_result(None)


class _Stream:
    """What comes out of one of the child's pipes, up to a limit."""

    def __init__(self, pipe: IO[bytes] | None, output_bytes: int) -> None:
        if pipe is None:
            raise ValueError("the child was started without this pipe")
        self._loop = asyncio.get_running_loop()
        self._pipe = pipe
        self._left = output_bytes
        self.content = bytearray()
        self.flooded: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    def drain(self) -> None:
        """Read what is there, without waiting for an end that a grandchild may hold open."""
        while not self.flooded.done() and self._read():
            pass

    def close(self) -> None:
        if not self._pipe.closed:
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()

    def _read(self) -> bool:
        """True when something was there."""
        try:
            piece = os.read(self._pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not piece or len(piece) > self._left:
            self._loop.remove_reader(self._pipe.fileno())
        if len(piece) > self._left:
            self.flooded.set_result(None)
        else:
            self._left -= len(piece)
            self.content += piece
        return bool(piece)
