"""What a caller may do: decided from the socket they connected to, who they are, and whom a feed is for.

Every permission is decided in this file and nowhere else; `server/acceptor.py` only keeps other users off a
socket, and `api/principal.py` asks here for each request. Groups are those of the group database now
(`host/accounts.py`), never those that a login still carries.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from broker.core.failures import Failure, NoFeed, NotAllowed
from broker.core.feeds import READ, Feed, Match
from broker.core.moment import Moment
from broker.core.uids import ROOT, UNMAPPED

PEER_EXTENSION = "token_broker.peer"
"""Key in an ASGI scope's `extensions`: `{"uid": int, "gid": int, "pid": int}` of the connected process."""

SOCKET_KIND_EXTENSION = "token_broker.entrance"
"""Key beside it: the SocketKind of the socket that the connection was accepted on."""

LONG_ANSWERS_EXTENSION = "token_broker.long_answers"
"""Key beside it: `begin(uid)` of what is there takes a place for an answer that lasts
(`server/long_answers.py`).
"""


@dataclass(frozen=True, slots=True)
class OwnSocket:
    """A user's own broker, which admits that user and root: they may do everything."""


@dataclass(frozen=True, slots=True)
class SystemSocket:
    """The system broker: read-only credentials for those in a feed's `allow`, everything else for root."""


@dataclass(frozen=True, slots=True)
class ShareSocket:
    """A second socket of a user's own broker, for a container, say; it grants the Share of its name."""

    name: str


SocketKind = OwnSocket | SystemSocket | ShareSocket
"""The socket that a connection came in by."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a ShareSocket grants at present: look-ups for these feeds, to its owner and root, until it ends.

    `renewal` is the command that its owner types to grant it anew.
    """

    name: str
    feeds: tuple[Feed, ...]
    ends: Moment
    owner: int
    renewal: str

    def sponsor(self, match: Match) -> Feed | None:
        """The shared feed that a look-up is for: the matched one, or one whose credential it is as well."""
        if match.feed in self.feeds:
            return match.feed
        if not match.stands_in:
            return None
        return next((feed for feed in self.feeds if feed.key() == match.key), None)


Granted = OwnSocket | SystemSocket | Share
"""What a socket grants now."""


class Action(StrEnum):
    """What changes something, by the verb of brokerctl that orders it."""

    REFRESH = "refresh"
    FORGET = "forget"
    LOGIN = "login"
    LOGOUT = "logout"
    RELOAD = "reload"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Account:
    """The kernel's word on who connected, and what the user and group databases say of that uid now.

    `groups` holds those that some feed's `allow` names, the only ones that are asked about.
    """

    uid: int
    user: str | None = None
    groups: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.user or f"uid {self.uid}"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller and what the socket they connected to grants: the functions below decide about it."""

    socket_kind: Granted
    caller: Account


def may_do_everything(principal: Principal) -> bool:
    """Whether no function below refuses this caller anything: a look-up need ask this one only."""
    return isinstance(principal.socket_kind, OwnSocket)


def refusal_of_admission(principal: Principal, now: Moment) -> NotAllowed | None:
    """Why no request of this caller is answered, or no longer."""
    share, uid = principal.socket_kind, principal.caller.uid
    if not isinstance(share, Share):
        return None
    if uid not in {share.owner, ROOT}:
        who = f"uid {uid}"
        if uid == UNMAPPED:
            who = f"a user who has no number in the broker's user namespace ({UNMAPPED}), such as root"
        return NotAllowed(
            f"the share {share.name} is for uid {share.owner}, and you are {who}",
            hint=f"docker run --user {share.owner} IMAGE",
        )
    if share.ends.reached(now):
        return NotAllowed(
            f"the share {share.name} has ended: renew it on the machine that shares",
            hint=share.renewal,
        )
    return None


def refusal_of_look_up(principal: Principal, match: Match) -> Failure | None:
    """Why this caller does not get the credential: NotAllowed, or NoFeed where no caller gets it here."""
    feed = match.feed
    match principal.socket_kind:
        case OwnSocket():
            return None
        case Share() as share if share.sponsor(match) is None:
            return NoFeed("no feed that is shared here has this address")
        case SystemSocket() if not feed.configured:
            return NoFeed("the system broker has no feed of this address in its configuration")
        case SystemSocket() if not may_see(principal, feed):
            return NotAllowed(
                f"{principal.caller} may not use it: the administrator adds users and groups to `allow` in "
                f"{feed.place}"
            )
    if match.key.scope != READ:
        return NotAllowed(
            "credentials that publish are not given out here: use a feed and sign-in of your own"
        )
    return None


def seen_by(principal: Principal, match: Match) -> Match:
    """The permitted match, with a feed that the caller may know."""
    sponsor = principal.socket_kind.sponsor(match) if isinstance(principal.socket_kind, Share) else None
    return match if sponsor is None else replace(match, feed=sponsor)


def refusal_of_action(principal: Principal, order: Action, feed: str | None = None) -> NotAllowed | None:
    """Why this caller may not order a change, of one feed or of the whole broker."""
    match principal.socket_kind:
        case SystemSocket() if principal.caller.uid != ROOT:
            words = (order.value,) if feed is None else (order.value, feed)
            return NotAllowed(
                f"only root may order a {order} from the system broker",
                hint=f"sudo brokerctl {' '.join(words)}",
            )
        case Share():
            return NotAllowed(f"no {order} may be ordered here: a share answers look-ups only")
    return None


def refusal_of_log(principal: Principal) -> NotAllowed | None:
    """Why this caller may not read the daemon's log lines: they name all users' feeds."""
    return None if _is_owner(principal) else NotAllowed("only the broker's owner may read what it said")


def may_see(principal: Principal, feed: Feed) -> bool:
    """Whether status, events and metrics tell this caller of the feed."""
    if _is_owner(principal):
        return True
    if isinstance(principal.socket_kind, Share):
        return feed in principal.socket_kind.feeds
    allow = feed.allow
    return allow is not None and (
        principal.caller.user in allow.users or not principal.caller.groups.isdisjoint(allow.groups)
    )


def may_see_totals(principal: Principal) -> bool:
    """Whether status tells this caller the count of all users' look-ups."""
    return _is_owner(principal)


def may_see_look_up_of(principal: Principal, uid: int | None, feed: str | None) -> bool:
    """Whether status tells this caller of a look-up that `uid` made."""
    match principal.socket_kind:
        case OwnSocket():
            return True
        case Share(feeds=feeds):
            return feed in {each.name for each in feeds}
    return principal.caller.uid in {ROOT, uid}


def _is_owner(principal: Principal) -> bool:
    """Whether the broker is this caller's: their own, or the system's for root."""
    match principal.socket_kind:
        case OwnSocket():
            return True
        case SystemSocket():
            return principal.caller.uid == ROOT
    return False
