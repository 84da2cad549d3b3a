"""Blocking work beside the loop, in threads that no end of the daemon waits for: files, whose disk may hang,
and SDKs, which may wait for a person. asyncio's own threads would hold up the end of the process.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

from broker.core.defect import name_of

Found = TypeVar("Found")


class EndedByWork(RuntimeError):  # noqa: N818 - what happened, told to the caller
    """Work raised what would end a process, a task or a generator: `sys.exit()` in a library, say."""


def in_thread(work: Callable[[], Found]) -> "asyncio.Future[Found]":
    """What `work` returns or raises, computed in a thread of its own.

    What is no error of its work (SystemExit, KeyboardInterrupt, CancelledError, StopIteration) becomes
    EndedByWork: raised in a task it would end the loop, end the wait of another, or be lost. Raises
    RuntimeError when no thread can be started (`core/shortage.py` knows it).
    """
    return _begin(work)[0]


def _begin(work: Callable[[], Found]) -> "tuple[asyncio.Future[Found], threading.Event]":
    """The work's outcome, and what is set once its thread is done with it."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Found] = loop.create_future()
    ended = threading.Event()
    context = contextvars.copy_context()

    def settle(found: Found | None, failure: Exception | None) -> None:
        if outcome.done():
            return  # given up
        if failure is not None:
            outcome.set_exception(failure)
        else:
            outcome.set_result(found)  # type: ignore[arg-type]  # it is there where no failure is

    def run() -> None:
        found: Found | None = None
        failure: Exception | None = None
        try:
            found = context.run(work)
        except BaseException as error:  # noqa: BLE001 - carried to the caller, and raised there
            failure = _carried(error)
        ended.set()
        try:
            loop.call_soon_threadsafe(settle, found, failure)
        except RuntimeError:
            return  # the loop has ended: no caller waits

    threading.Thread(target=run, name="aside", daemon=True).start()
    return outcome, ended


def _carried(error: BaseException) -> Exception:
    """The error as it can be raised in a task without doing more there than an error does."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    return EndedByWork(name_of(error)).with_traceback(error.__traceback__)


class Aside:
    """Runs one piece of work after the other. While one hangs, those after it fail at once."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._hangs: threading.Event | None = None

    async def run(self, work: Callable[[], Found], limit_s: float) -> Found:
        """What `work` returns or raises, as `in_thread` has it.

        Raises TimeoutError after `limit_s` seconds, or while an earlier one hangs.
        """
        async with self._turn:
            if self._hangs is not None and not self._hangs.is_set():
                raise TimeoutError
            self._hangs = None
            outcome, ended = _begin(work)
            try:
                return await asyncio.wait_for(outcome, limit_s)
            except TimeoutError:
                self._hangs = ended
                raise
