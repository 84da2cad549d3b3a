"""WhyNotRecorder: enters into the record what it hears of feeds, programs and learned realms, and writes it
after each change. The configuration and the certificates are told by `daemon/runtime.py`.
"""

import asyncio
import logging
from functools import partial

from broker.api.backend import feed_status_of
from broker.core.defect import name_of
from broker.core.feeds import Feed
from broker.core.shortage import shortage_of
from broker.core.why_not import Topic
from broker.daemon.runtime import Runtime
from broker.host.aside import in_thread
from broker.host.process import hear_starts
from broker.host.why_not_file import WhyNotFile

log = logging.getLogger("broker.daemon")


class WhyNotRecorder:
    """Writes in a thread: a disk may be slow, and no answer waits for it. `run` ends only when cancelled."""

    def __init__(self, service: Runtime, file: WhyNotFile) -> None:
        self._service = service
        self._file = file
        self._changed = asyncio.Event()
        self._changed.set()  # what the last start left holds no longer: this one serves
        service.why_not.changed = self._changed.set
        self.close = service.keeper.news.subscribe(self._hear)
        """Ends the listening."""
        service.keeper.slot_table.room_changed = self._hear_room
        hear_starts(self._hear_start)

    async def run(self) -> None:
        """Write the record now, and after each change."""
        is_told = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            why = "neither the runtime folder nor the state folder takes it"
            try:
                is_written = await in_thread(partial(self._file.write, self._service.why_not.reasons))
            except RuntimeError as error:
                is_written, why = False, shortage_of(error) or name_of(error)
            if not is_written and not is_told:
                log.warning("why_not_unwritten: %s", why)
            is_told = not is_written

    def _hear(self, feed: Feed) -> None:
        status, why_not = feed_status_of(self._service, feed), self._service.why_not
        if status.error is None:
            why_not.clear(Topic.FEED, feed.name)
        else:
            at = self._service.keeper.clock.now().wall
            why_not.tell(Topic.FEED, status.error, at=at, hint=status.hint, subject=feed.name)

    def _hear_room(self) -> None:
        no_room, why_not = self._service.keeper.slot_table.no_room, self._service.why_not
        if no_room is None:
            why_not.clear(Topic.LEARNED_FEEDS)
            return
        at = self._service.keeper.clock.now().wall
        why_not.tell(Topic.LEARNED_FEEDS, no_room.why, at=at, hint="brokerctl add URL")

    def _hear_start(self, program: str, shortage: str | None) -> None:
        why_not = self._service.why_not
        if shortage is None:  # what one program lacked, the next one has got
            why_not.keep(Topic.PROCESSES, lambda _: False)
            return
        name, at = program.rpartition("/")[2], self._service.keeper.clock.now().wall
        why_not.tell(Topic.PROCESSES, f"could not be started: {shortage}", at=at, subject=name)
