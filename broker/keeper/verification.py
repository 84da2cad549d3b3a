"""Credentials are tried at the feeds that use them, in the background: new ones, and those in use.

What a verdict means is decided in `core.verdict`; this file runs the attempts, one a feed at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import inf

from broker.core.credential import Credential
from broker.core.feeds import READ, Feed
from broker.core.moment import Moment
from broker.core.refresh import Held
from broker.core.verdict import RETRY_S, FeedAnswer, Verdict, Verification, judge, refusal_of
from broker.host.clock import Clock
from broker.keeper.defect_log import DefectLog
from broker.keeper.provider_guard import is_cancelled
from broker.keeper.slot_entry import SlotEntry

Verify = Callable[[Feed, Credential], Awaitable[FeedAnswer]]
"""Asks a feed whether it accepts a credential."""

UNASKED_AT_ONCE = 16
"""So many feeds are tried at once before any look-up asked for them; what look-ups start never queues."""

log = logging.getLogger("broker.trials")


def may_verify_unasked(feed: Feed, *, asked: bool) -> bool:
    """Whether a new credential is tried at the feed by itself; `asked`: a look-up was for this feed before.

    Plain http has no certificate: any user of the machine can listen on a loopback port. Such a feed gets the
    password only after a client has shown, by asking, that it is about to send it there.
    """
    return asked or feed.url.origin.scheme == "https"


class Verifier:
    """Tries credentials. `judged` hears each verdict, `tell` of a feed that began or ceased to say no,
    `fetch` of an entry whose credential a feed did not take: a new one may do better.
    """

    def __init__(
        self,
        verify_at: Verify,
        clock: Clock,
        *,
        judged: Callable[[Feed, Verdict], None],
        tell: Callable[[Feed], None],
        fetch: Callable[[SlotEntry], object],
    ) -> None:
        self._verify_at = verify_at
        self._clock = clock
        self._judged = judged
        self._tell = tell
        self._fetch = fetch
        self._defects = DefectLog(log)
        self._line: dict[tuple[SlotEntry, str], Feed] = {}
        self._unasked: set[asyncio.Task[None]] = set()

    def line_up(self, entry: SlotEntry, feed: Feed) -> None:
        """Try the held credential at `feed` once there is room: ten thousand come at a start."""
        self._line[entry, feed.name] = feed
        self._serve_line()

    def _serve_line(self) -> None:
        while self._line and len(self._unasked) < UNASKED_AT_ONCE:
            (entry, name), feed = next(iter(self._line.items()))
            del self._line[entry, name]
            if entry.slot.held is not None:
                attempt = self.start(entry, feed)
                self._unasked.add(attempt)
                attempt.add_done_callback(self._unasked_ended)

    def _unasked_ended(self, attempt: "asyncio.Task[None]") -> None:
        self._unasked.discard(attempt)
        self._serve_line()

    def start(self, entry: SlotEntry, feed: Feed) -> "asyncio.Task[None]":
        """The task that tries the held credential at `feed`, under way or new."""
        if feed.name not in entry.verifying:
            entry.verifying[feed.name] = asyncio.create_task(self._attempt(entry, feed))
        return entry.verifying[feed.name]

    def start_anew(self, entry: SlotEntry, feed: Feed) -> None:
        """Try now, and give up what is under way: its connection may lead nowhere any more."""
        under_way = entry.verifying.pop(feed.name, None)
        if under_way is not None:
            under_way.cancel()
        self.start(entry, feed)

    def try_in_use(self, entry: SlotEntry, now: Moment) -> None:
        """Try the held credential again at the feed that has waited longest of those it was asked for.

        At most one attempt for an entry in RETRY_S, and none beside another. Where it is too soon, it is made
        later, without another look-up: the one that asked now may be the only one for hours.
        """
        left_s = RETRY_S - (now.boot_s - entry.tried_s)
        if left_s > 0:
            entry.next_try = asyncio.create_task(self._try_later(entry, left_s))
        elif entry.asked and not entry.verifying:
            tried = entry.verifications
            name = min(entry.asked, key=lambda name: tried[name].tried.boot_s if name in tried else -inf)
            self.start(entry, entry.asked[name])

    async def _try_later(self, entry: SlotEntry, wait_s: float) -> None:
        """Try in `wait_s` seconds, unless the credential was tried since it was last asked for."""
        try:
            await self._clock.nap(wait_s)
            entry.next_try = None
            if entry.used.boot_s > entry.tried_s:
                self.try_in_use(entry, self._clock.now())
        except Exception as defect:  # noqa: BLE001 - the next look-up sees to it
            entry.next_try = None
            self._defects.tell(f"next try of {entry.slot.key.realm}", defect)

    async def verdict(self, entry: SlotEntry, feed: Feed, wait_s: float | None = None) -> Verification | None:
        """The verification made now, or the last one when that takes longer than `wait_s`."""
        await asyncio.wait({self.start(entry, feed)}, timeout=wait_s)
        return entry.verifications.get(feed.name)

    async def _attempt(self, entry: SlotEntry, feed: Feed) -> None:
        """One attempt. However it ends, the entry is without it then; a defect proves nothing of the feed."""
        attempt, held = asyncio.current_task(), entry.slot.held
        self._line.pop((entry, feed.name), None)
        answer = FeedAnswer(Verdict.UNKNOWN)
        entry.asked.pop(feed.name, None)
        # An upload address cannot be read, so a publish credential is never tried.
        is_asked = held is not None and feed.verify and entry.slot.key.scope == READ
        try:
            entry.tried_s = self._clock.now().boot_s
            if held is not None and is_asked:
                answer = await self._verify_at(feed, held.credential)
            self._defects.past(feed.name)
        except asyncio.CancelledError as defect:
            if is_cancelled():
                raise
            self._defects.tell(feed.name, defect)
        except Exception as defect:  # noqa: BLE001 - whatever it is, the feed has not answered
            self._defects.tell(feed.name, defect)
        finally:
            if entry.verifying.get(feed.name) is attempt:
                del entry.verifying[feed.name]
        if held is None or entry.slot.held is None:
            return
        try:
            self._enter(entry, feed, held, answer, is_asked=is_asked)
        except Exception as defect:  # noqa: BLE001 - the credential is as good as before
            self._defects.tell(f"verdict of {feed.name}", defect)

    def _enter(self, entry: SlotEntry, feed: Feed, held: Held, answer: FeedAnswer, *, is_asked: bool) -> None:
        """Keep what the feed said, and act on it."""
        before, verdict = entry.verifications.get(feed.name), answer.verdict
        verification = judge(feed, held, answer, before, self._clock.now())
        entry.verifications[feed.name] = verification
        refusal, was = verification.refusal, Verdict.UNKNOWN if before is None else before.verdict
        if entry.slot.held is not held:
            self.start(entry, feed)  # another came meanwhile, and nothing was said of that one yet
        elif verdict is Verdict.UNAUTHORISED and verification.wants_fetch:
            if was is not verdict:
                said = answer.said or "401"
                log.warning(
                    "rejected_by_feed feed=%s: %s before the token's end, fetching anew", feed.name, said
                )
            self._fetch(entry)
        if verification.verdict.is_rejection is not was.is_rejection or refusal is not refusal_of(before):
            self._tell(feed)
        if refusal is not None and refusal_of(before) is None:
            log.warning("refused_by_feed feed=%s: %s", feed.name, refusal)
        if is_asked:
            self._judged(feed, verdict)
