"""A running child process: its output, its end, and how it and all it started are killed.

It has no stdin and a session of its own. What it started is killed by its process group at once, then by
`process_tree.py` where a process left the group.
"""

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from broker.core.shortage import shortage_of
from broker.host.process_tree import ChildMark
from broker.host.run_failure import CannotRun, NoResources, NotFound, RunFailure, TooMuchOutput
from broker.host.start_failure import why_not_run

CHUNK_BYTES = 65536

GRACE_S = 0.4
"""How long we wait for a killed child to be gone; one that the kernel holds longer is left to it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended that did so in time; `code` is minus the signal's number if it died of one."""

    code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)


class Child:
    """A running child and our ends of its pipes."""

    def __init__(
        self, argv: Sequence[str], program: str, environment: dict[str, str], cwd: str, output_bytes: int
    ) -> None:
        self._mark = ChildMark()
        self._program = argv[0]
        with contextlib.ExitStack() as undo:
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
                undo.callback(self._end_at_once)
                self._exit = _Exit(self._popen)
                undo.callback(self._exit.close)
                self._stdout = _Stream(self._popen.stdout, output_bytes)
                undo.callback(self._stdout.close)
                self._stderr = _Stream(self._popen.stderr, output_bytes)
            except (OSError, RuntimeError, MemoryError, ValueError) as error:
                raise _not_started(argv[0], program, error) from error
            undo.pop_all()

    def _end_at_once(self) -> None:
        """Kill a child that we cannot watch, and let go of it."""
        self._mark.kill_below(self._popen.pid)
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(GRACE_S)

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


def _not_started(name: str, program: str, error: Exception) -> RunFailure:
    """What an error at the start of a program means: it is repeated only where nothing has to be repaired."""
    shortage = shortage_of(error)
    if shortage is not None:
        return NoResources(name, shortage)
    if not isinstance(error, OSError):  # subprocess: embedded null byte, illegal environment variable name
        return CannotRun(name, str(error))
    if not os.path.lexists(program):
        return NotFound(name)
    return CannotRun(name, why_not_run(program, error))


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
