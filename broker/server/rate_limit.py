"""A limit on the requests of each user, so that no user takes the daemon's time from others.

Requests beyond the limit wait instead of being refused: package clients keep to a refusal all their run.
"""

import asyncio
from collections.abc import Callable

BURST = 50
"""Requests at once after a pause: a build that begins asks for all its feeds together."""

KNOWN_MAX = 1024
"""Users remembered; beyond that, those without a delay are forgotten."""


class RateLimit:
    """`per_s` requests of each user on average, BURST of them at once.

    `account_of` maps the uids of one user to one number.
    """

    def __init__(self, per_s: float, account_of: Callable[[int], int] = lambda uid: uid) -> None:
        self._apart_s = 1.0 / per_s
        self._account_of = account_of
        self._tolerance_s = (BURST - 1) * self._apart_s
        self._due: dict[int, float] = {}

    def delay_s(self, uid: int, now_s: float) -> float:
        """Seconds that this user's next request must wait; this call counts it. `now_s`: of one steady clock.

        The generic cell rate algorithm (ITU-T I.371): each request moves the time when the next one is due.
        """
        account = self._account_of(uid)
        if len(self._due) >= KNOWN_MAX:
            self._due = {user: due_s for user, due_s in self._due.items() if due_s > now_s}
        due_s = max(self._due.get(account, now_s), now_s)
        self._due[account] = due_s + self._apart_s
        return max(0.0, due_s - self._tolerance_s - now_s)

    async def wait(self, uid: int) -> None:
        """Return when this user's next request may be answered."""
        loop = asyncio.get_running_loop()
        delay_s = self.delay_s(uid, loop.time())
        if delay_s > 0:
            turn = loop.create_future()
            timer = loop.call_later(delay_s, turn.set_result, None)
            try:
                await turn
            finally:
                timer.cancel()
