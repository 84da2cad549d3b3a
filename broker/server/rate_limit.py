"""So much of one user's at a time, the rest a moment later: nobody can take the daemon's time from others.

Who comes too often waits his turn instead of being refused: package clients remember a "no" for their
whole run.
"""

import asyncio
from collections.abc import Callable

BURST = 50
"""At once after a silence: a build that begins asks for all its feeds together."""

KNOWN_MAX = 1024
"""Users remembered before those whose time is up are forgotten."""


class RateLimit:
    """`per_s` for each user in the long run, BURST of them at once.

    `account_of` says which uids are one user's.
    """

    def __init__(self, per_s: float, account_of: Callable[[int], int] = lambda uid: uid) -> None:
        self._apart_s = 1.0 / per_s
        self._account_of = account_of
        self._tolerance_s = (BURST - 1) * self._apart_s
        self._due: dict[int, float] = {}

    def delay_s(self, uid: int, now_s: float) -> float:
        """Seconds that this user's next one must wait; it counts from now on. `now_s`: of one steady clock.

        The generic cell rate algorithm (ITU-T I.371): each one moves the time when the next would be due.
        """
        account = self._account_of(uid)
        if len(self._due) >= KNOWN_MAX:
            self._due = {user: due_s for user, due_s in self._due.items() if due_s > now_s}
        due_s = max(self._due.get(account, now_s), now_s)
        self._due[account] = due_s + self._apart_s
        return max(0.0, due_s - self._tolerance_s - now_s)

    async def wait(self, uid: int) -> None:
        """Return when it is this user's turn."""
        loop = asyncio.get_running_loop()
        delay_s = self.delay_s(uid, loop.time())
        if delay_s > 0:
            turn = loop.create_future()
            timer = loop.call_later(delay_s, turn.set_result, None)
            try:
                await turn
            finally:
                timer.cancel()
