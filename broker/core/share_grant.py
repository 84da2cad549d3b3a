"""What a share is granted for: its name, its feeds and its life. No secret is ever part of one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from broker.core.failures import BadRequest
from broker.core.moment import Moment

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
"""It becomes a folder on a path whose length is limited, and a word of a command line."""

LONGEST_S = 7 * 86400.0
"""A longer need is a broker where the need is."""

LINGER_S = 7 * 86400.0
"""So long an ended share still says that it has ended, and what renews it: over a weekend and a holiday."""

BOOT_S_MAX = 1e10
"""No machine has been up for three hundred years; nan and infinity are no time either."""

MOST = 16
"""Shares at a time: each holds a socket open, and its callers theirs."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A share as it was granted: `feeds` by name, `for_s` its whole life in seconds."""

    name: str
    feeds: tuple[str, ...]
    for_s: float
    ends: Moment

    def is_forgotten(self, now: Moment) -> bool:
        """True when it ended so long ago that its user no longer waits for a renewal."""
        return self.ends.after(LINGER_S).reached(now)

    def ended(self, now: Moment) -> "Grant":
        """The same grant, over by now. One that is over already keeps its end."""
        return self if self.ends.reached(now) else replace(self, ends=now)

    @property
    def renewal(self) -> str:
        """The command that grants it anew."""
        feeds = " ".join(f"--feed {feed}" for feed in self.feeds)
        return f"brokerctl share {feeds} --for {_written(self.for_s)} --name {self.name}"


def check_name(name: str) -> None:
    """Raise BadRequest for a name that no share can have."""
    if not NAME.fullmatch(name):
        raise BadRequest(
            f"{name!r} is no name for a share: up to 32 letters, digits, dots, dashes and underscores",
            hint="brokerctl share --help",
        )


def check_life(for_s: float) -> None:
    """Raise BadRequest for a life, in seconds, that no share can have."""
    if not 1 <= for_s <= LONGEST_S:
        raise BadRequest(
            "a share lives for at least a second and at most 7 days", hint="brokerctl share --help"
        )


def granted(name: str, feeds: Sequence[str], for_s: float, now: Moment) -> Grant:
    """The grant that begins now; raises BadRequest for a name or a life that cannot be."""
    check_name(name)
    check_life(for_s)
    return Grant(name, tuple(dict.fromkeys(feeds)), for_s, now.after(for_s))


def to_record(grant: Grant) -> dict[str, object]:
    """The grant as JSON values, for a daemon that comes after this one."""
    return {
        "name": grant.name,
        "feeds": list(grant.feeds),
        "for_s": grant.for_s,
        "ends_at": grant.ends.wall.isoformat(),
        "ends_boot_s": grant.ends.boot_s,
    }


def from_record(record: Mapping[str, object]) -> Grant:
    """The grant that `to_record` wrote; raises ValueError for anything else.

    Its end is the earlier one of both clocks', so that after another start of the machine it may only be
    shorter.
    """
    match record:
        case {
            "name": str(name),
            "feeds": [*feeds],
            "for_s": float(for_s) | int(for_s),
            "ends_at": str(ends_at),
            "ends_boot_s": float(boot_s) | int(boot_s),
        } if (
            NAME.fullmatch(name)
            and all(isinstance(feed, str) for feed in feeds)
            and 1 <= for_s <= LONGEST_S
            and 0 <= boot_s <= BOOT_S_MAX
        ):
            ends = datetime.fromisoformat(ends_at)
            if ends.tzinfo is not None:
                return Grant(
                    name, tuple(str(feed) for feed in feeds), float(for_s), Moment(ends, float(boot_s))
                )
    raise ValueError("this is not the record of a share")


def _written(seconds: float) -> str:
    """The duration in its largest whole unit, as `core.duration` reads it."""
    whole = max(1, round(seconds))
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole % unit_s == 0:
            return f"{whole // unit_s}{unit}"
    return f"{whole}s"
