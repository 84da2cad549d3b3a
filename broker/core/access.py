"""What somebody may do here: decided from the socket they came in by, who they are, and whom a feed is for.

Every question of the kind "may they?" is answered in this file and nowhere else; `host/door.py` only keeps
strangers off a socket, and `api/guests.py` asks here for each request. Groups are those of the group database
now (`host/accounts.py`), never those that a login still carries.
"""

from dataclasses import dataclass
from enum import StrEnum

from broker.core.failures import Failure, NoFeed, NotAllowed
from broker.core.feeds import READ, Feed, Match
from broker.core.refresh import Moment

ROOT = 0


@dataclass(frozen=True, slots=True)
class OwnSocket:
    """A user's own broker, whose door admits that user and root: they may do everything."""


@dataclass(frozen=True, slots=True)
class SystemSocket:
    """The system broker: read-only credentials for whom a feed's `allow` names, everything else for root."""


@dataclass(frozen=True, slots=True)
class Share:
    """A second socket of a user's own broker, for a container, say: these feeds, look-ups only."""

    feeds: frozenset[str]
    ends: Moment


Entrance = OwnSocket | SystemSocket | Share
"""The socket that a connection came in by."""


class Order(StrEnum):
    """What changes something, by the verb of brokerctl that orders it."""

    REFRESH = "refresh"
    FORGET = "forget"
    LOGIN = "login"
    LOGOUT = "logout"
    RELOAD = "reload"


@dataclass(frozen=True, slots=True)
class Caller:
    """The kernel's word on who connected, and what the user and group databases say of that uid now.

    `groups` holds those that some feed's `allow` names, which are the ones that anybody asks about.
    """

    uid: int
    user: str | None = None
    groups: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.user or f"uid {self.uid}"


@dataclass(frozen=True, slots=True)
class Guest:
    """A caller and the entrance they came by: whom the functions below decide about."""

    entrance: Entrance
    caller: Caller


HOUSE = Guest(OwnSocket(), Caller(ROOT))
"""The daemon itself, where it asks for its own sake."""


def refusal_of_entry(guest: Guest, now: Moment) -> NotAllowed | None:
    """Why nothing at all is answered to this guest any more."""
    if isinstance(guest.entrance, Share) and guest.entrance.ends.reached(now):
        return NotAllowed("this share has ended")
    return None


def refusal_of_look_up(guest: Guest, match: Match) -> Failure | None:
    """Why this guest does not get the credential: NotAllowed, or NoFeed where nobody gets it here."""
    feed = match.feed
    match guest.entrance:
        case OwnSocket():
            return None
        case Share() if not may_see(guest, feed):
            return NoFeed("no feed that is shared here has this address")
        case SystemSocket() if not feed.configured:
            return NoFeed("the system broker has no feed of this address in its configuration")
        case SystemSocket() if not may_see(guest, feed):
            return NotAllowed(
                f"{guest.caller} may not use it: the administrator adds users and groups to `allow` in "
                f"{feed.place}"
            )
    if match.key.scope != READ:
        return NotAllowed(
            "credentials that publish are not given out here: use a feed and sign-in of your own"
        )
    return None


def refusal_of_order(guest: Guest, order: Order, feed: str | None = None) -> NotAllowed | None:
    """Why this guest may not order a change, of one feed or of the whole broker."""
    match guest.entrance:
        case SystemSocket() if guest.caller.uid != ROOT:
            words = (order.value,) if feed is None else (order.value, feed)
            return NotAllowed(
                f"only root may order a {order} from the system broker",
                hint=f"sudo brokerctl {' '.join(words)}",
            )
        case Share():
            return NotAllowed(f"no {order} may be ordered here: a share answers look-ups only")
    return None


def may_see(guest: Guest, feed: Feed) -> bool:
    """Whether status, events and metrics tell this guest of the feed."""
    match guest.entrance:
        case OwnSocket():
            return True
        case Share(feeds=feeds):
            return feed.name in feeds
        case SystemSocket() if guest.caller.uid == ROOT:
            return True
    allow = feed.allow
    return allow is not None and (
        guest.caller.user in allow.users or not guest.caller.groups.isdisjoint(allow.groups)
    )


def may_see_look_up_of(guest: Guest, uid: int | None, feed: str | None) -> bool:
    """Whether status tells this guest of a look-up that `uid` made."""
    match guest.entrance:
        case OwnSocket():
            return True
        case Share(feeds=feeds):
            return feed in feeds
    return guest.caller.uid in {ROOT, uid}
