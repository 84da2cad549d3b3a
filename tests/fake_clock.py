"""A clock that stands still until a test moves it, and that tells when the code under test is asleep."""

import asyncio
import heapq
from collections.abc import Sized
from datetime import UTC, datetime, timedelta

from broker.core.moment import Moment
from broker.host.clock import NAP_S

START = Moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1000.0)


class FakeClock:
    """Satisfies host.clock.Clock. Time moves only by `advance`, `suspend` and `set_wall`."""

    def __init__(self, start: Moment = START) -> None:
        self._now = start
        self._running_s = 0.0  # CLOCK_MONOTONIC: what sleeps are counted in
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now(self) -> Moment:
        return self._now

    async def settle(self) -> None:
        """Let what can go on go on: between two of the times at which sleepers wake."""
        await settle()

    async def nap(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._running_s + min(max(0.0, seconds), NAP_S), self._order, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass on all clocks, waking each sleeper at its time and letting it run."""
        await self.settle()
        end_s = self._running_s + seconds
        while self._sleepers and self._sleepers[0][0] <= end_s:
            wake_s, _, woken = heapq.heappop(self._sleepers)
            self._move(max(0.0, wake_s - self._running_s))
            if not woken.done():
                woken.set_result(None)
            await self.settle()
        self._move(end_s - self._running_s)
        await self.settle()

    def suspend(self, seconds: float) -> None:
        """The lid is closed: wall and boot time pass, timers stand still."""
        self._now = self._now.after(seconds)

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock forward by `seconds` (back, if negative)."""
        self._now = Moment(self._now.wall + timedelta(seconds=seconds), self._now.boot_s)

    def _move(self, seconds: float) -> None:
        self._running_s += seconds
        self._now = self._now.after(seconds)


TURNS_MAX, QUIET_TURNS = 50, 3


async def settle() -> None:
    """Run the loop until everything that can go on has gone on: until some turns in a row had nothing to
    run (the next may find a socket that can be read), or 50 turns with a task that never waits.
    """
    ready, quiet = _what_is_ready(), 0
    for _ in range(TURNS_MAX):
        await asyncio.sleep(0)
        quiet = 0 if ready else quiet + 1
        if quiet == QUIET_TURNS:
            return


async def settle_quickly() -> None:
    """`settle` where nothing but the loop's own tasks can go on: no thread, no socket, no timer."""
    ready = _what_is_ready()
    await asyncio.sleep(0)
    while ready:  # noqa: ASYNC110 - it waits for the loop itself
        await asyncio.sleep(0)


def _what_is_ready() -> Sized:
    """What the running loop will run in its next turn, as it changes."""
    ready: Sized = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    return ready
