"""Housekeeper: checks files, socket and idle time every half minute, and decides when the daemon ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from broker.daemon.runtime import Runtime
from broker.host.clock import NAP_S, Clock
from broker.host.sd_notify import Notifier
from broker.server.bound_socket import BoundSocket

BY_HAND = "failed; run: systemctl --user restart token-broker.socket"
"""Logged where the manager could not be asked: it is another user's, or cannot be reached."""

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
    make its socket anew. `run` returns when `ending` is known.
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
        renew_socket: Callable[[], Awaitable[bool]],
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
            nap = asyncio.ensure_future(self._clock.nap(self._nap_s()))
            woken = asyncio.ensure_future(self._woken.wait())
            try:
                await asyncio.wait({nap, woken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                nap.cancel()
                woken.cancel()
            self._woken.clear()
            if self.ending is None:
                await self._check()

    async def _check(self) -> None:
        if self._place.is_lost() and not self._place.is_managers:
            self.end("the socket was removed or taken by another process", code=1)
        elif self._stamps() != self._installed:
            # a look-up by a share starts no daemon: the service manager does, at once
            self.end("the installation changed", code=1 if self._service.shares.are_in_use() else 0)
        elif self._idle_left_s() <= 0:
            self.end("idle: no request for a long time")
        else:
            if self._place.is_lost():
                await self._ask_for_socket()
            await self._reload()
            self._service.shares.look()
            if self._service.keeper.has_turned():
                self._notifier.alive()
            self._notifier.status(self._summary())

    async def _ask_for_socket(self) -> None:
        """Ask the manager, once, to make its socket anew; it ends us for that."""
        if not self._is_loss_reported:
            self._is_loss_reported = True
            asked = await self._renew_socket()
            log.error("socket_lost path=%s renewal=%s", self._place.path, "asked for" if asked else BY_HAND)

    async def _reload(self) -> None:
        """Reload what changed, or in any case when asked to: then systemd learns of its begin and end."""
        wanted, self._is_reload_wanted = self._is_reload_wanted, False
        if wanted:
            self._notifier.reloading(asyncio.get_running_loop().time())
        await self._service.reload_if_changed(anyway=wanted)
        if wanted:
            self._notifier.ready(self._summary())

    def _nap_s(self) -> float:
        watchdog_s = self._notifier.watchdog_interval_s()
        return min(self._idle_left_s(), NAP_S if watchdog_s is None else watchdog_s)

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
