"""The only place that reads a clock or sleeps.

Two clocks make a Moment: the wall's for expiry, and the time since boot for ages. asyncio's timers run on
CLOCK_MONOTONIC, which stands still while a laptop sleeps, so a sleep here is made of naps.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from broker.core.moment import Moment

if TYPE_CHECKING:
    import asyncio

NAP_S = 30.0
"""No sleep is longer before the clocks are looked at again: the lateness after a suspend."""

AFTER_DEFECT_S = 1.0
"""A loop whose nap failed does not spin."""

# macOS has no CLOCK_BOOTTIME: its CLOCK_MONOTONIC already counts sleep (clock_gettime(3) there).
_BOOT_CLOCK = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC


class Clock(Protocol):
    """The present, and a way to wait for a later one."""

    def now(self) -> Moment:
        """This instant on both clocks."""
        ...

    async def nap(self, seconds: float) -> None:
        """Sleep for `seconds`, but never longer than NAP_S: then look at the clock again."""
        ...


async def nap_or(clock: Clock, seconds: float, woken: asyncio.Event) -> Exception | None:
    """Nap until `woken` is set, or for `seconds`; returns the clock's defect, after a second, if it has one.

    For loops that must not end: never raises but for a cancellation.
    """
    import asyncio  # noqa: PLC0415 - loaded wherever this is awaited, and 20 ms for who only reads the clock

    nap = asyncio.ensure_future(clock.nap(seconds))
    wake = asyncio.ensure_future(woken.wait())
    try:
        await asyncio.wait({nap, wake}, return_when=asyncio.FIRST_COMPLETED)
        defect = nap.exception() if nap.done() and not nap.cancelled() else None
        if defect is not None:
            await asyncio.wait({wake}, timeout=AFTER_DEFECT_S)
        return defect if isinstance(defect, Exception) else None
    finally:
        nap.cancel()
        wake.cancel()


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Moment:
        """This instant on both clocks; the wall's is UTC."""
        return Moment(datetime.now(UTC), time.clock_gettime(_BOOT_CLOCK))

    async def nap(self, seconds: float) -> None:
        """Sleep for `seconds`, at most NAP_S."""
        import asyncio  # noqa: PLC0415 - as in nap_or

        await asyncio.sleep(min(max(0.0, seconds), NAP_S))

    def pause(self, seconds: float) -> None:
        """Block this thread for `seconds`: for a command that waits, never in the daemon's loop."""
        time.sleep(seconds)
