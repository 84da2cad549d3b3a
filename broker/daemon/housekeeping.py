"""Housekeeper: checks files, socket and idle time every half minute, and decides when the daemon ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from broker.core.feeds import Feed
from broker.core.refresh import AWAITED_S
from broker.daemon.runtime import STAMPS_S, Runtime
from broker.host.clock import NAP_S, Clock, nap_or
from broker.host.sd_notify import Notifier
from broker.keeper.defect_log import DefectLog
from broker.server.bound_socket import BoundSocket

log = logging.getLogger("broker.caretaker")


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the daemon ends; `code` is not 0 where a service manager should start it again at once."""

    reason: str
    code: int = 0


class Housekeeper:
    """Notices a changed configuration, a lost socket, a changed installation and a long idle time.

    `idle_exit_s`: end after this many seconds without a request, while nothing is shared; None: never.
    `stamps` returns another value after the installation has changed. `renew_socket` has the service manager
    make its socket anew, or returns what a person types for it. `run` returns when `ending` is known.
    """

    def __init__(
        self,
        service: Runtime,
        place: BoundSocket,
        *,
        clock: Clock,
        notifier: Notifier,
        idle_exit_s: float | None,
        stamps: Callable[[], Hashable],
        renew_socket: Callable[[], Awaitable[str | None]],
    ) -> None:
        self.ending: Ending | None = None
        self._service = service
        self._place = place
        self._clock = clock
        self._notifier = notifier
        self._idle_exit_s = idle_exit_s
        self._stamps = stamps
        self._renew_socket = renew_socket
        self._installed = stamps()
        self._woken = asyncio.Event()
        self._is_reload_wanted = False
        self._is_loss_reported = False
        self._nap_now_s = NAP_S
        service.keeper.news.subscribe(self._hear)
        self._defects = DefectLog(log)

    def end(self, reason: str, code: int = 0) -> None:
        """Let `run` return now; the first reason counts."""
        self.ending = self.ending or Ending(reason, code)
        self._woken.set()

    def reload(self) -> None:
        """Read the configuration again now, changed or not."""
        self._is_reload_wanted = True
        self._woken.set()

    async def run(self) -> None:
        """Check every half minute until the daemon should end."""
        self._notifier.ready(self._summary())
        while self.ending is None:
            defect = await nap_or(self._clock, self._nap_s(), self._woken)
            if defect is not None:
                self._defects.tell("nap", defect)
            self._woken.clear()
            if self.ending is None:
                await self._check()

    def _hear(self, feed: Feed) -> None:
        """A feed's state changed: what it waits for may come with the configuration's `[env]`."""
        if self._nap_now_s > AWAITED_S and self._service.keeper.awaits_person(feed):
            self._woken.set()

    async def _check(self) -> None:
        """Look at each thing; one that cannot be looked at is told once, and the others are looked at."""
        await self._do("socket", self._look_at_socket)
        if self.ending is None:
            await self._do("installation", self._look_at_installation)
        if self.ending is None:
            await self._do("idle time", self._look_at_idle_time)
        if self.ending is not None:
            return
        await self._do("configuration", self._reload)
        await self._do("shares", self._look_at_shares)
        await self._do("notification", self._notify)

    async def _do(self, item: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as defect:  # noqa: BLE001 - one item's defect is not the others'
            self._defects.tell(item, defect)
        else:
            self._defects.past(item)

    async def _look_at_socket(self) -> None:
        if self._place.is_lost():
            if not self._place.is_managers:
                self.end("the socket was removed or taken by another process", code=1)
            else:
                await self._ask_for_socket()

    async def _look_at_installation(self) -> None:
        if await self._service.aside(self._stamps, STAMPS_S) != self._installed:
            # a look-up by a share starts no daemon: the service manager does, at once
            self.end("the installation changed", code=1 if self._service.shares.are_in_use() else 0)

    async def _look_at_idle_time(self) -> None:
        if self._idle_left_s() <= 0:
            self.end("idle: no request for a long time")

    async def _look_at_shares(self) -> None:
        self._service.shares.look()

    async def _notify(self) -> None:
        if self._service.keeper.loop.has_turned():
            self._notifier.alive()
        self._notifier.status(self._summary())

    async def _ask_for_socket(self) -> None:
        """Ask the manager, once, to make its socket anew; it ends us for that."""
        if not self._is_loss_reported:
            self._is_loss_reported = True
            line = await self._renew_socket()
            renewal = "asked for" if line is None else f"failed; run: {line}"
            log.error("socket_lost path=%s renewal=%s", self._place.path, renewal)

    async def _reload(self) -> None:
        """Reload what changed, or in any case when asked to: then systemd learns of its begin and end."""
        wanted, self._is_reload_wanted = self._is_reload_wanted, False
        if wanted:
            self._notifier.reloading(asyncio.get_running_loop().time())
        try:
            await self._service.reload_if_changed(anyway=wanted)
        finally:
            if wanted:
                self._notifier.ready(self._summary())

    def _nap_s(self) -> float:
        """Seconds until the next look; never raises."""
        try:
            return self._interval_s()
        except Exception as defect:  # noqa: BLE001 - a round too many does no harm
            self._defects.tell("interval", defect)
            return NAP_S

    def _interval_s(self) -> float:
        watchdog_s = self._notifier.watchdog_interval_s()
        self._nap_now_s = AWAITED_S if self._service.keeper.awaits_person() else NAP_S
        return min(self._idle_left_s(), self._nap_now_s, NAP_S if watchdog_s is None else watchdog_s)

    def _idle_left_s(self) -> float:
        if self._idle_exit_s is None or self._service.shares.are_in_use():
            return NAP_S
        last = self._service.stats.last or self._service.about.started
        return last.after(self._idle_exit_s).left_s(self._clock.now())

    def _summary(self) -> str:
        if self._service.fault is not None:
            return self._service.fault.detail
        usable, feeds = self._service.keeper.slot_table.count(self._clock.now())
        return f"{usable} of {feeds} feeds usable"
