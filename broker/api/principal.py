"""Who is asking, as `core/access.py` wants to know it: made of what the server put into the scope."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from broker.api.backend import Backend, backend_of
from broker.core.access import (
    PEER_EXTENSION,
    SOCKET_KIND_EXTENSION,
    Account,
    Action,
    OwnSocket,
    Principal,
    ShareSocket,
    SocketKind,
    SystemSocket,
    may_see,
    refusal_of_action,
    refusal_of_admission,
)
from broker.core.failures import BadConfiguration, NoFeed
from broker.core.feeds import Feed
from broker.core.moment import Moment

if TYPE_CHECKING:
    from fastapi import Request

Scope = Any
"""A request as ASGI describes it."""


class PeerIds(Protocol):
    """Who asks: the user, by whom it is decided, and the process, for lists and logs only."""

    @property
    def uid(self) -> int:
        """The user's number."""
        ...

    @property
    def pid(self) -> int:
        """The process's number."""
        ...


class _PeerIds(NamedTuple):
    uid: int
    pid: int


async def principal_of(backend: Backend, scope: Scope) -> Principal:
    """The caller behind a request. Raises NotAllowed where nothing is answered any more, and Unavailable."""
    principal = await unchecked_principal_of(backend, scope)
    admit(principal, backend.keeper.clock.now())
    return principal


async def unchecked_principal_of(backend: Backend, scope: Scope) -> Principal:
    """The caller, without the check whether they are answered at all: `admit` does it later. Raises as
    `principal_of`.
    """
    extensions = scope["extensions"]
    socket_kind: SocketKind = extensions[SOCKET_KIND_EXTENSION]
    uid: int = extensions[PEER_EXTENSION]["uid"]
    match socket_kind:
        case SystemSocket():
            return Principal(
                socket_kind, await backend.accounts.caller(uid, backend.keeper.slot_table.table.groups)
            )
        case ShareSocket(name=name):
            return Principal(backend.shares.present(name), Account(uid))
        case OwnSocket():
            return Principal(socket_kind, Account(uid))


def admit(principal: Principal, now: Moment) -> None:
    """Raise NotAllowed where no request of this caller is answered any more."""
    refusal = refusal_of_admission(principal, now)
    if refusal is not None:
        raise refusal


def require_configuration(backend: Backend) -> None:
    """Raise BadConfiguration where there is no usable one: no feed is known then."""
    if backend.fault is not None:
        raise BadConfiguration(backend.fault.detail, hint=backend.fault.line)


async def feed_for_action(request: "Request", order: Action, name: str) -> Feed:
    """The feed that an order is for. Raises NoFeed, NotAllowed where this caller may not order that, or
    BadConfiguration.
    """
    backend = backend_of(request)
    require_configuration(backend)
    principal = await principal_of(backend, request.scope)
    feed = backend.keeper.slot_table.named(name)
    if feed is None or not may_see(principal, feed):
        raise NoFeed(f"there is no feed called {name}", hint="brokerctl status")
    refusal = refusal_of_action(principal, order, name)
    if refusal is not None:
        raise refusal
    return feed


def peer_of(scope: Scope) -> PeerIds:
    """Who is at the other end of a request's connection."""
    peer = scope["extensions"][PEER_EXTENSION]
    return _PeerIds(peer["uid"], peer["pid"])


def is_own(scope: Scope) -> bool:
    """True for a request by the user's own socket."""
    return isinstance(scope["extensions"][SOCKET_KIND_EXTENSION], OwnSocket)
