"""Aside: blocking work beside the loop, one piece at a time, in a thread that no end of the daemon waits for.

For files: a disk may hang, and asyncio's own threads would hold up the end of the process.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class Aside:
    """Runs one piece of work after the other. While one hangs, those after it fail at once."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._hangs: threading.Event | None = None

    async def run(self, work: Callable[[], Found], limit_s: float) -> Found:
        """What `work` returns or raises.

        Raises TimeoutError after `limit_s` seconds, or while an earlier one hangs.
        """
        async with self._turn:
            if self._hangs is not None and not self._hangs.is_set():
                raise TimeoutError
            self._hangs = None
            loop = asyncio.get_running_loop()
            outcome: asyncio.Future[Found] = loop.create_future()
            ended = threading.Event()

            def tell(found: Found | None, defect: Exception | None) -> None:
                if outcome.done():
                    return  # given up
                if defect is not None:
                    outcome.set_exception(defect)
                else:
                    outcome.set_result(found)  # type: ignore[arg-type]  # it is there where no defect is

            def run() -> None:
                found: Found | None = None
                told: Exception | None = None
                try:
                    found = work()
                except Exception as defect:  # noqa: BLE001 - carried to the caller, and raised there
                    told = defect
                ended.set()
                try:
                    loop.call_soon_threadsafe(tell, found, told)
                except RuntimeError:
                    return  # the loop has ended: no caller waits

            threading.Thread(target=run, name="aside", daemon=True).start()
            try:
                return await asyncio.wait_for(outcome, limit_s)
            except TimeoutError:
                self._hangs = ended
                raise
