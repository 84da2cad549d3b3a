"""DesktopNotifier: tells the desktop once when a feed begins to need a person. Part of the composition
root.
"""

import asyncio
import logging
from collections.abc import Mapping

from broker.core.failures import NoSource
from broker.core.feeds import Feed, SlotKey
from broker.core.refresh import State
from broker.host import desktop
from broker.keeper.keeper import Keeper

log = logging.getLogger("broker.herald")


class DesktopNotifier:
    """Listens to the keeper. Feeds that share a credential are one notice, and no renewal waits for it.

    A feed that was only learned and that nothing here could ever sign in to is nobody's business.
    """

    def __init__(self, keeper: Keeper, environ: Mapping[str, str]) -> None:
        self._keeper = keeper
        self._environ = environ
        self._told: set[SlotKey] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self.close = keeper.subscribe(self._heard)

    def _heard(self, feed: Feed) -> None:
        entry = self._keeper.slot_table.holding(feed)
        last_failure = entry.slot.last_failure if entry is not None else None
        if last_failure is None or entry is None or entry.shown is not State.SIGN_IN_NEEDED:
            self._told.discard(feed.key())
            return
        if feed.key() in self._told or (isinstance(last_failure.failure, NoSource) and not feed.configured):
            return
        self._told.add(feed.key())
        hint = last_failure.failure.hint
        text = last_failure.failure.detail if hint is None else f"{last_failure.failure.detail}\n{hint}"
        telling = asyncio.create_task(self._tell(f"{feed.name}: sign-in needed", text))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell(self, title: str, text: str) -> None:
        if await desktop.show(title, text, self._environ):
            log.debug("notified: %s", title)
