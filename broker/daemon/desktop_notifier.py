"""DesktopNotifier: shows one notice when a feed begins to need a sign-in. Part of the composition root."""

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
    """Subscribes to the keeper. Feeds that share a credential get one notice, and no renewal waits for it.

    A learned feed that no provider here can sign in to gets none.
    """

    def __init__(self, keeper: Keeper, environ: Mapping[str, str]) -> None:
        self._keeper = keeper
        self._environ = environ
        self._notified: set[SlotKey] = set()
        self._showing: set[asyncio.Task[None]] = set()
        self.close = keeper.news.subscribe(self._on_change)

    def _on_change(self, feed: Feed) -> None:
        entry = self._keeper.slot_table.holding(feed)
        last_failure = entry.slot.last_failure if entry is not None else None
        if last_failure is None or entry is None or entry.shown is not State.SIGN_IN_NEEDED:
            self._notified.discard(feed.key())
            return
        if feed.key() in self._notified or (
            isinstance(last_failure.failure, NoSource) and not feed.configured
        ):
            return
        self._notified.add(feed.key())
        hint = last_failure.failure.hint
        text = last_failure.failure.detail if hint is None else f"{last_failure.failure.detail}\n{hint}"
        showing = asyncio.create_task(self._show(f"{feed.name}: sign-in needed", text))
        self._showing.add(showing)
        showing.add_done_callback(self._showing.discard)

    async def _show(self, title: str, text: str) -> None:
        if await desktop.show(title, text, self._environ):
            log.debug("notified: %s", title)
