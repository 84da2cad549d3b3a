"""Child processes (az, gcloud, helpers), none of which outlives its limit.

A child gets no stdin, a session of its own and a time limit. At the limit, at too much output and on
cancelling, everything it started is killed: its process group at once, then by `process_tree.py` the
processes that left the group. A child that ends in time leaves its own background processes alone: a helper
may start an agent on purpose. Output may hold secrets: it is never logged here and never part of an
exception.

No more than CHILDREN_MAX run at once, whoever starts them; further ones wait in their order. A child may ask
this daemon for another feed's credential, whose child then waits for a place like any other: since each child
has a limit, one becomes free.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from weakref import WeakKeyDictionary

from broker.core.shortage import shortage_of
from broker.host.process_tree import ChildMark
from broker.host.start_failure import lying_at, why_not_run

CHILDREN_MAX = 8
"""At once: each is a Python interpreter of 50 to 100 MB that works for seconds; parallel `az` time out."""

QUEUE_LIMIT_S = 55.0
"""How long a child waits for its place at most: with its own limit it stays below the keeper's 90 s."""

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
    """There is no such program on the path."""

    def __init__(self, program: str) -> None:
        super().__init__(program, "was not found")


class CannotRun(RunFailure):
    """The program is there and will not run until it is repaired; `reason` says what is wrong with it."""

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(program, f"cannot be run: {reason}")
        self.reason = reason


class NoResources(RunFailure):
    """The program was not started for want of something that comes back by itself; `reason` says of what."""

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(program, f"could not be started: {reason}")
        self.reason = reason


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


def is_there(program: str, path: str) -> bool:
    """True when `run` would not raise NotFound: something of that name is there, whether it runs or not."""
    return lying_at(program, path) is not None


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    limit_s: float,
    output_bytes: int = OUTPUT_BYTES,
    cwd: str = "/",
) -> Finished:
    """Run a program, found by the PATH of `env` (None: our own environment), and return how it ended.

    Raises NotFound, CannotRun, NoResources, also after QUEUE_LIMIT_S in the queue, TimedOut within half a
    second of the limit, which begins when the child does, and TooMuchOutput when one of its two streams
    exceeds `output_bytes`. Safe to cancel. It ends when the child does, even if a grandchild keeps its pipes.
    """
    environment = dict(os.environ if env is None else env)
    path = environment.get("PATH", os.defpath)
    program = find(argv[0], path)
    if program is None:
        found = lying_at(argv[0], path)
        raise NotFound(argv[0]) if found is None else CannotRun(argv[0], why_not_run(found))
    try:
        async with _place_for(argv[0]):
            child = _Child(argv, program, environment, cwd, output_bytes)
            _tell_start(argv[0], None)
            return await _run(child, argv[0], limit_s)
    except NoResources as failure:
        _tell_start(argv[0], failure.reason)
        raise


_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
"""One semaphore for each loop, and a daemon has one loop."""


@contextlib.asynccontextmanager
async def _place_for(program: str) -> AsyncIterator[None]:
    """Wait for a place among the children that run, first come, first served."""
    places = _places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(CHILDREN_MAX))
    try:
        async with asyncio.timeout(QUEUE_LIMIT_S):
            await places.acquire()
    except TimeoutError:
        waited = f"{CHILDREN_MAX} others were running, and it waited {QUEUE_LIMIT_S:.0f} s for its turn"
        raise NoResources(program, waited) from None
    try:
        yield
    finally:
        places.release()


StartHeard = Callable[[str, str | None], None]
"""Told of a program's name and what had run out when it was to be started; None where it started."""

_listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, StartHeard] = WeakKeyDictionary()


def hear_starts(listener: StartHeard) -> None:
    """Have the loop that runs tell this one listener of each program that it starts, or fails to."""
    _listeners[asyncio.get_running_loop()] = listener


def _tell_start(program: str, shortage: str | None) -> None:
    listener = _listeners.get(asyncio.get_running_loop())
    if listener is not None:
        listener(program, shortage)


async def _run(child: "_Child", name: str, limit_s: float) -> Finished:
    try:
        await child.ended(limit_s)
    except TimeoutError:
        await child.kill()
        raise TimedOut(name, limit_s) from None
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
