"""WhyNotRecorder: enters each feed's last failure into the record, and writes it after each change."""

import asyncio
import logging

from broker.api.backend import feed_status_of
from broker.core.feeds import Feed
from broker.core.why_not import Topic
from broker.daemon.runtime import Runtime
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
        self.close = service.keeper.subscribe(self._hear)
        """Ends the listening."""

    async def run(self) -> None:
        """Write the record now, and after each change."""
        is_told = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            is_written = await asyncio.to_thread(self._file.write, self._service.why_not.reasons)
            if not is_written and not is_told:
                log.warning("why_not_unwritten: neither the runtime folder nor the state folder takes it")
            is_told = not is_written

    def _hear(self, feed: Feed) -> None:
        status, why_not = feed_status_of(self._service, feed), self._service.why_not
        if status.error is None:
            why_not.clear(Topic.FEED, feed.name)
        else:
            at = self._service.keeper.clock.now().wall
            why_not.tell(Topic.FEED, status.error, at=at, hint=status.hint, subject=feed.name)
