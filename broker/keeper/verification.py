"""Each new credential is tried once at the feeds that use it, in the background.

What a verdict means is decided in `core.verdict`; this file runs the attempts, one a feed at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from broker.core.credential import Credential
from broker.core.feeds import READ, Feed
from broker.core.verdict import Verdict, Verification, judge, refusal_of
from broker.host.clock import Clock
from broker.keeper.slot_table import SlotEntry

Verify = Callable[[Feed, Credential], Awaitable[Verdict]]
"""Asks a feed whether it accepts a credential."""

log = logging.getLogger("broker.trials")


def may_verify_unasked(feed: Feed, *, asked: bool) -> bool:
    """Whether a new credential is tried at the feed by itself; `asked`: a look-up was for this feed before.

    Plain http has no certificate: any user of the machine can listen on a loopback port. Such a feed gets the
    password only after a client has shown, by asking, that it is about to send it there.
    """
    return asked or feed.url.origin.scheme == "https"


class Verifier:
    """Tries credentials. `tell` hears of a feed that began or ceased to refuse, `fetch` of an entry whose
    credential a feed did not take: a new one may do better.
    """

    def __init__(
        self,
        verify_at: Verify,
        clock: Clock,
        *,
        tell: Callable[[Feed], None],
        fetch: Callable[[SlotEntry], object],
    ) -> None:
        self._verify_at = verify_at
        self._clock = clock
        self._tell = tell
        self._fetch = fetch

    def start(self, entry: SlotEntry, feed: Feed) -> "asyncio.Task[None]":
        """The task that tries the held credential at `feed`, under way or new."""
        if feed.name not in entry.verifying:
            entry.verifying[feed.name] = asyncio.create_task(self._attempt(entry, feed))
        return entry.verifying[feed.name]

    async def verdict(self, entry: SlotEntry, feed: Feed, wait_s: float | None = None) -> Verification | None:
        """The verification made now, or the last one when that takes longer than `wait_s`."""
        await asyncio.wait({self.start(entry, feed)}, timeout=wait_s)
        return entry.verifications.get(feed.name)

    async def _attempt(self, entry: SlotEntry, feed: Feed) -> None:
        held = entry.slot.held
        verdict = Verdict.UNKNOWN
        try:
            # An upload address cannot be read, so a publish credential is never tried.
            if held is not None and feed.verify and entry.slot.key.scope == READ:
                verdict = await self._verify_at(feed, held.credential)
        finally:
            entry.verifying.pop(feed.name, None)
        if held is None or entry.slot.held is None:
            return
        before = entry.verifications.get(feed.name)
        verification = entry.verifications[feed.name] = judge(
            held.credential, verdict, before, self._clock.now()
        )
        refusal, was_refused = verification.refusal, refusal_of(before) is not None
        if refusal is not None and not was_refused:
            log.warning("refused_by_feed feed=%s: %s", feed.name, refusal)
        if was_refused is not (refusal is not None):
            self._tell(feed)
        if verdict is Verdict.UNAUTHORISED and refusal is None:
            self._fetch(entry)
