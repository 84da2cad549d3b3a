"""ListenerSpec: a listening socket, and which peers it accepts."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from broker.core.access import OwnSocket, SocketKind
from broker.core.uids import ROOT
from broker.server.early_response import Reply
from broker.server.ucred import Peer, peer_of


def ours_or_root(peer: Peer) -> bool:
    """A user's own broker serves that user and root, as ssh-agent does."""
    return peer.uid in {os.geteuid(), ROOT}


def any_peer(peer: Peer) -> bool:  # noqa: ARG001 - the signature of `admits`
    """The system broker serves every peer that its socket's mode admits."""
    return True


OWN = OwnSocket()


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """A listening socket: its kind, and which peers it accepts by uid and gid.

    `see` returns the peer of a connection: `peer_of` knows none that the kernel cannot name in our
    namespaces. `reply` may answer before a protocol is made. `connections`: held at once, by default the
    server's limit. `per_user_s`: requests of one user that are answered in a second, further ones wait; by
    default the server's. `account_of` maps the uids of one user to one number.
    """

    listening: socket.socket
    socket_kind: SocketKind = OWN
    admits: Callable[[Peer], bool] = ours_or_root
    see: Callable[[socket.socket], Peer | None] = peer_of
    reply: Reply | None = None
    connections: int | None = None
    per_user_s: float | None = None
    account_of: Callable[[int], int] = lambda uid: uid
