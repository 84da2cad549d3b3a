"""Blocking work in a thread of its own: an SDK's call, which may wait for a person."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from broker.core.failures import Unavailable
from broker.core.shortage import shortage_of

Found = TypeVar("Found")


def in_thread(work: Callable[[], Found]) -> "asyncio.Future[Found]":
    """What `work` returns or raises, computed in a thread of its own.

    Not in asyncio's threads: a person who signs in would hold one for minutes, and with it the daemon's end.
    Raises Unavailable when no thread can be started.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Found] = loop.create_future()

    def settle(result: Found | None, error: BaseException | None) -> None:
        if outcome.done():
            return  # given up
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]  # it is there where no error is

    def run() -> None:
        result: Found | None = None
        last_failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - carried to the waiting caller, and raised there
            last_failure = error
        try:
            loop.call_soon_threadsafe(settle, result, last_failure)
        except RuntimeError:
            return  # the loop has ended: no caller waits

    try:
        threading.Thread(target=run, name="azure-identity", daemon=True).start()
    except RuntimeError as error:
        raise Unavailable(f"the sign-in could not be started: {shortage_of(error) or 'no thread'}") from None
    return outcome
