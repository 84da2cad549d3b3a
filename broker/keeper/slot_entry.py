"""A slot and what surrounds it: what the keeper, the loop and the verifier know of one credential."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING

from broker.core.feeds import Feed
from broker.core.moment import Moment
from broker.core.refresh import Slot, State
from broker.core.verdict import Verification

if TYPE_CHECKING:
    from collections.abc import Hashable

    from broker.core.failures import NotObtained


@dataclass(slots=True, eq=False)
class SlotEntry:
    """A slot and what surrounds it.

    `feed` is the one whose settings and URL the credential is obtained with, `used` the last question,
    `since` the last change of state. `wanted` is false after `forget`, until the next question; `gone` is
    true once the table has it no more. `fingerprint` is the provider's sign-in fingerprint that the last
    attempt saw, `was_late` whether it changed meanwhile, `has_succeeded` whether it ever had a credential.
    `last_asked` is the feed of the last look-up, `asked` are those asked for since they were last tried,
    `tried_s` when one last was, in seconds of boot time, `next_try` what waits until it may be tried again.
    """

    slot: Slot
    feed: Feed
    used: Moment
    since: datetime
    shown: State = State.EMPTY
    wanted: bool = True
    gone: bool = False
    fetches: int = 0
    failed_fetches: int = 0
    has_succeeded: bool = False
    fingerprint: "Hashable" = None
    was_late: bool = False
    flight: "asyncio.Task[NotObtained | None] | None" = None
    verifications: dict[str, Verification] = field(default_factory=dict)
    verifying: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    last_asked: Feed | None = None
    asked: dict[str, Feed] = field(default_factory=dict)
    tried_s: float = -inf
    next_try: asyncio.Task[None] | None = None

    def drop(self) -> None:
        """Forget the credential and give up what is under way."""
        for task in (self.flight, self.next_try, *self.verifying.values()):
            if task is not None:
                task.cancel()
        self.flight = self.next_try = None
        self.slot, self.wanted = Slot(self.slot.key), False
        self.verifications.clear()
        self.verifying.clear()

    def forget_words_of(self, names: frozenset[str]) -> None:
        """Forget what the feeds of these names said, and give up asking them."""
        for name in names & self.verifications.keys():
            del self.verifications[name]
            under_way = self.verifying.pop(name, None)
            if under_way is not None:
                under_way.cancel()
