"""A share of the connections for answers that last: listening to events, an explanation, a sign-in.

Each holds its connection for as long as its client likes. Without a share of their own, as many listeners as
there may be connections would leave none for look-ups. The routes ask for a place by the ASGI scope.
"""

from collections import defaultdict
from collections.abc import Callable


class LongAnswers:
    """`most` places at once, of which one user has `per_user` at most (None: as many as there are).

    `account_of` maps the uids of one user to one number.
    """

    def __init__(
        self, most: int, per_user: int | None = None, account_of: Callable[[int], int] = lambda uid: uid
    ) -> None:
        self._most = most
        self._per_user = most if per_user is None else per_user
        self._account_of = account_of
        self._taken = 0
        self._by_user: defaultdict[int, int] = defaultdict(int)

    def begin(self, uid: int) -> Callable[[], None] | None:
        """Take a place for this user's answer; returns what gives it back, to be called once, or None."""
        user = self._account_of(uid)
        if self._taken >= self._most or self._by_user[user] >= self._per_user:
            return None
        self._taken += 1
        self._by_user[user] += 1
        return lambda: self._end(user)

    def _end(self, user: int) -> None:
        self._taken -= 1
        self._by_user[user] -= 1
        if not self._by_user[user]:
            del self._by_user[user]
