"""Recheck: after the ground moved, each token in use is tried at its feed.

A token may be bound to the caller's address, and a machine that slept may have missed its end. Read
`keeper/verification.py` for what a try is.
"""

import asyncio
import logging
from math import inf

from broker.core.verdict import RETRY_S
from broker.host.clock import Clock
from broker.keeper.defect_log import DefectLog
from broker.keeper.slot_entry import SlotEntry
from broker.keeper.slot_table import SlotTable
from broker.keeper.verification import Verifier

IN_USE_S = 86400.0
"""A token that no look-up asked for within this time is left alone."""

SETTLE_S = 0.5
"""So long nothing is tried after a change: an interface comes up with several. It doubles, up to RETRY_S,
with each change within RETRY_S of the last tries: an address may come and go all day.
"""

SPREAD_S = 2.0
GAP_S = 0.2
"""Tries begin this far apart, or nearer where all would take longer than the spread."""

log = logging.getLogger("broker.keeper")


class Recheck:
    """Tries the held tokens that were used lately, once after each change that `moved` tells of."""

    def __init__(self, slot_table: SlotTable, verifier: Verifier, clock: Clock) -> None:
        self._slot_table = slot_table
        self._verifier = verifier
        self._clock = clock
        self._reason = ""
        self._settle_s = SETTLE_S
        self._tried_s = -inf
        self._has_moved = asyncio.Event()
        self._defects = DefectLog(log)

    def moved(self, reason: str) -> None:
        """Something has changed that tokens may depend on; changes close together count as one."""
        self._reason = reason
        self._has_moved.set()

    async def run(self) -> None:
        """Try after each change, for ever."""
        while True:
            await self._has_moved.wait()
            try:
                await self._round()
                self._defects.past("recheck")
            except Exception as defect:  # noqa: BLE001 - the next change may do better
                self._has_moved.clear()
                self._defects.tell("recheck", defect)

    async def _round(self) -> None:
        is_again = self._clock.now().boot_s - self._tried_s < RETRY_S
        self._settle_s = min(2 * self._settle_s, RETRY_S) if is_again else SETTLE_S
        await self._clock.nap(self._settle_s)
        self._has_moved.clear()
        entries = self._in_use()
        log.info("trying_again reason=%s tokens=%d", self._reason, len(entries))
        for entry in entries:
            self._verifier.start_anew(entry, entry.last_asked or entry.feed)
            await self._clock.nap(min(GAP_S, SPREAD_S / len(entries)))
        self._tried_s = self._clock.now().boot_s

    def _in_use(self) -> list[SlotEntry]:
        now = self._clock.now()
        return [
            entry
            for entry in self._slot_table
            if entry.last_asked is not None
            and entry.slot.live(now) is not None
            and not entry.used.after(IN_USE_S).reached(now)
        ]
