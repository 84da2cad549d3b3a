"""Who is asking, as `core/access.py` wants to know it: made of what the server put into the scope."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from broker.api.backend import Office, office_of
from broker.core.access import (
    Caller,
    Entrance,
    Guest,
    Order,
    OwnSocket,
    ShareSocket,
    SystemSocket,
    may_see,
    refusal_of_entry,
    refusal_of_order,
)
from broker.core.failures import NoFeed
from broker.core.feeds import Feed
from broker.core.refresh import Moment

if TYPE_CHECKING:
    from fastapi import Request

Scope = Any
"""A request as ASGI describes it."""

PEER_EXTENSION = "token_broker.peer"
ENTRANCE_EXTENSION = "token_broker.entrance"
"""Where `host.peer` puts who is asking, and by which socket, in the ASGI scope's extensions."""


class Peer(Protocol):
    """Who asks: the user, by whom it is decided, and the process, for lists and logs only."""

    @property
    def uid(self) -> int:
        """The user's number."""
        ...

    @property
    def pid(self) -> int:
        """The process's number."""
        ...


class _Peer(NamedTuple):
    uid: int
    pid: int


async def guest_of(office: Office, scope: Scope) -> Guest:
    """The guest behind a request. Raises NotAllowed where nothing is answered any more, and Unavailable."""
    guest = await unchecked_guest_of(office, scope)
    admit(guest, office.keeper.clock.now())
    return guest


async def unchecked_guest_of(office: Office, scope: Scope) -> Guest:
    """The guest, whatever may be answered to them: for who has more to ask first. Raises as `guest_of`."""
    extensions = scope["extensions"]
    entrance: Entrance = extensions[ENTRANCE_EXTENSION]
    uid: int = extensions[PEER_EXTENSION]["uid"]
    match entrance:
        case SystemSocket():
            return Guest(entrance, await office.accounts.caller(uid, office.keeper.entries.table.groups))
        case ShareSocket(name=name):
            return Guest(office.shares.present(name), Caller(uid))
        case OwnSocket():
            return Guest(entrance, Caller(uid))


def admit(guest: Guest, now: Moment) -> None:
    """Raise NotAllowed where nothing is answered to this guest any more."""
    refusal = refusal_of_entry(guest, now)
    if refusal is not None:
        raise refusal


async def ordered(request: "Request", order: Order, name: str) -> Feed:
    """The feed that an order is for. Raises NoFeed, or NotAllowed where this guest may not order that."""
    office = office_of(request)
    guest = await guest_of(office, request.scope)
    feed = office.keeper.entries.named(name)
    if feed is None or not may_see(guest, feed):
        raise NoFeed(f"there is no feed called {name}", hint="brokerctl status")
    refusal = refusal_of_order(guest, order, name)
    if refusal is not None:
        raise refusal
    return feed


def peer_of(scope: Scope) -> Peer:
    """Who is at the other end of a request's connection."""
    peer = scope["extensions"][PEER_EXTENSION]
    return _Peer(peer["uid"], peer["pid"])


def is_own(scope: Scope) -> bool:
    """True for a request by the user's own socket."""
    return isinstance(scope["extensions"][ENTRANCE_EXTENSION], OwnSocket)
