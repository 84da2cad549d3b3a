"""Trials: each new credential is tried once at the feeds that use it, in the background.

What a verdict means is decided in `core.trials`; this file runs the attempts, one a feed at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from broker.core.credential import Credential
from broker.core.feeds import READ, Feed
from broker.core.verdict import Trial, Verdict, judge
from broker.host.clock import Clock
from broker.keeper.slot_table import Entry

Try = Callable[[Feed, Credential], Awaitable[Verdict]]
"""Asks a feed whether it accepts a credential."""

log = logging.getLogger("broker.trials")


class Trials:
    """Tries credentials. `tell` hears of a feed that began or ceased to refuse, `fetch` of an entry whose
    credential a feed did not take: a new one may do better.
    """

    def __init__(
        self, try_at: Try, clock: Clock, *, tell: Callable[[Feed], None], fetch: Callable[[Entry], object]
    ) -> None:
        self._try_at = try_at
        self._clock = clock
        self._tell = tell
        self._fetch = fetch

    def start(self, entry: Entry, feed: Feed) -> "asyncio.Task[None]":
        """The trial of the held credential at `feed`, under way or new."""
        if feed.name not in entry.trying:
            entry.trying[feed.name] = asyncio.create_task(self._attempt(entry, feed))
        return entry.trying[feed.name]

    async def verdict(self, entry: Entry, feed: Feed, wait_s: float | None = None) -> Trial | None:
        """The outcome of a trial made now, or of the last one when that takes longer than `wait_s`."""
        await asyncio.wait({self.start(entry, feed)}, timeout=wait_s)
        return entry.trials.get(feed.name)

    async def _attempt(self, entry: Entry, feed: Feed) -> None:
        held = entry.slot.held
        verdict = Verdict.UNKNOWN
        try:
            # An upload address cannot be read, so a publish credential is never tried.
            if held is not None and feed.verify and entry.slot.key.scope == READ:
                verdict = await self._try_at(feed, held.credential)
        finally:
            entry.trying.pop(feed.name, None)
        if held is None or entry.slot.held is None:
            return
        before = entry.trials.get(feed.name)
        trial = entry.trials[feed.name] = judge(held.credential, verdict, before, self._clock.now())
        was_refused = before is not None and before.refusal is not None
        if trial.refusal is not None and not was_refused:
            log.warning("refused_by_feed feed=%s: %s", feed.name, trial.refusal)
        if was_refused is not (trial.refusal is not None):
            self._tell(feed)
        if verdict is Verdict.UNAUTHORISED and trial.refusal is None:
            self._fetch(entry)
