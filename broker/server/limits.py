"""How much the daemon takes on at once, derived from how many files it may have open."""

import resource
import sys
from dataclasses import dataclass
from typing import Self

FDS_ENOUGH = 16384
"""We never ask for more: some programs walk every descriptor up to the limit that they inherit from us."""

_FDS_MAX_ON_MACOS = 10240
"""OPEN_MAX: macOS says its hard limit is infinite and then refuses more than this."""

FDS_KEPT = 64
"""Descriptors kept from connections, for logs, locks, renewals' connections and the pipes of their
child processes."""

CONNECTIONS_MAX = 512
"""Held at once; further ones wait in the backlog, which costs us nothing. Each takes about 20 kB here."""

CONNECTIONS_PER_USER = 64
"""The system broker's share for one uid: a build of 50 parallel look-ups fits, a flood does not."""

REQUESTS_PER_USER_S = 50.0
"""Requests of one uid that the system broker answers in a second, on average; a look-up takes about 2 ms."""

CONNECTIONS_PER_SHARE = 16
"""So that no container takes the descriptors that its owner's look-ups and renewals need: all shares together
hold half as many as the own socket.
"""

REQUESTS_PER_SHARE_S = 50.0
"""Requests that a share answers in a second, on average: a container that asks in an endless loop must not
take the daemon's time from its owner.
"""

CONNECTIONS_MAX_SHARED = 4096
"""The system broker's: it takes 64 users at their share to fill it."""

LONG_ANSWERS_PART = 4
"""Answers that last (events, explanations, sign-ins) may hold one connection of so many, 128 of 512; the rest
is for questions.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """`connections`: held at once, further ones wait in the backlog. `per_user`: how many of them one user
    may have; its further ones are closed. `per_user_s`: requests of one user in a second, further ones wait.
    None: no limit per user. `request_s`: until a request must have arrived whole. `request_bytes`: of its
    line and headers; `body_bytes`: of its body. `stall_s`: how long a client may leave an answer unread.
    """

    connections: int = CONNECTIONS_MAX
    per_user: int | None = None
    per_user_s: float | None = None
    request_s: float = 2.0
    request_bytes: int = 16384
    body_bytes: int = 1024
    stall_s: float = 30.0

    @property
    def long_answers(self) -> int:
        """How many of the connections answers that last may hold."""
        return max(1, self.connections // LONG_ANSWERS_PART)

    @property
    def long_answers_per_user(self) -> int | None:
        """The same of one user's connections."""
        return None if self.per_user is None else max(1, self.per_user // LONG_ANSWERS_PART)

    @classmethod
    def for_fds(cls, fds: int, *, shared: bool = False) -> Self:
        """The limits of a process that may have `fds` files open: at most half of few, all but 64 of many.

        `shared`: of the system broker, where no user may take from another.
        """
        most = max(1, fds // 2, fds - FDS_KEPT)
        if shared:
            return cls(min(CONNECTIONS_MAX_SHARED, most), CONNECTIONS_PER_USER, REQUESTS_PER_USER_S)
        return cls(min(CONNECTIONS_MAX, most))


def raise_fd_limit() -> int:
    """Raise our soft limit of open files towards the hard one, and return what it is now. Never lowers it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FDS_ENOUGH if hard == resource.RLIM_INFINITY else min(hard, FDS_ENOUGH)
    if sys.platform == "darwin":
        most = min(most, _FDS_MAX_ON_MACOS)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return FDS_ENOUGH if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
