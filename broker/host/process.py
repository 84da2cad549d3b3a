"""Child processes (az, gcloud, helpers), none of which outlives its limit.

At its time limit, at too much output and on cancelling, a child is killed with everything it started. One
that ends in time leaves its own background processes alone: a helper may start an agent on purpose. Output
may hold secrets: it is never logged here and never part of an exception.

No more than CHILDREN_MAX run at once, whoever starts them; further ones wait in their order. A child may ask
this daemon for another feed's credential, whose child then waits for a place like any other: since each child
has a limit, one becomes free.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from weakref import WeakKeyDictionary

from broker.host.child_process import Child, Finished
from broker.host.program_search import search
from broker.host.run_failure import CannotRun, NoResources, NotFound, TimedOut
from broker.host.start_failure import why_not_run

CHILDREN_MAX = 8
"""At once: each is a Python interpreter of 50 to 100 MB that works for seconds; parallel `az` time out."""

QUEUE_LIMIT_S = 55.0
"""How long a child waits for its place at most: with its own limit it stays below the keeper's 90 s."""

OUTPUT_BYTES = 1 << 20
"""`az account get-access-token` prints 2 to 4 kB."""


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
    found = search(argv[0], path)
    if found is None:
        raise NotFound(argv[0])
    if not found.is_executable:
        raise CannotRun(argv[0], why_not_run(found.path))
    try:
        async with _place_for(argv[0]):
            child = Child(argv, found.path, environment, cwd, output_bytes)
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


async def _run(child: Child, name: str, limit_s: float) -> Finished:
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
