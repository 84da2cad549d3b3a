"""The process at the other end of a Unix socket, as the kernel reports it.

Decide on `uid` and `gid` only. They are those of the process that connected, frozen at that moment; `pid` is
for messages: that process may be gone, or may have given the connection to another (measured).
"""

import socket
import struct
import sys
from typing import NamedTuple

from broker.core.uids import UNMAPPED

_UCRED = struct.Struct("iII")
"""Linux `struct ucred` (unix(7), SO_PEERCRED): pid, uid, gid."""

_NO_UID = 2**32 - 1
"""What Linux reports for the peer of any other socket (cred_to_ucred() of net/core/sock.c)."""

_XUCRED = struct.Struct("IIhxx16I")
"""macOS `struct xucred` (<sys/ucred.h>): version, uid, number of groups, groups."""

_XUCRED_VERSION = 0
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2
"""macOS <sys/un.h>. Not run on a Mac."""


class Peer(NamedTuple):
    """A process at the time when it connected, or when it began to listen if we connected."""

    uid: int
    gid: int
    pid: int


def peer_of(connection: socket.socket) -> Peer | None:
    """Return the process at the other end, or None when it cannot be known for certain. Never raises.

    None for anything but a Unix socket, for an owner without a number in our user namespace, and for a
    process outside our pid namespace.
    """
    peer = peer_as_seen(connection)
    return None if peer is None or peer.pid <= 0 or peer.uid == UNMAPPED else peer


def peer_as_seen(connection: socket.socket) -> Peer | None:
    """Return what the kernel reports: UNMAPPED or pid 0 for a process that has no number in our namespaces.

    For messages to such a peer. None where the kernel reports nothing. Never raises.
    """
    try:
        if sys.platform == "darwin":
            return _peer_on_macos(connection)
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        pid, uid, gid = _UCRED.unpack(told)
    except (OSError, struct.error):
        return None
    return None if uid == _NO_UID else Peer(uid, gid, pid)


def _peer_on_macos(connection: socket.socket) -> Peer | None:
    if connection.family != socket.AF_UNIX:
        return None
    version, uid, count, *groups = _XUCRED.unpack(
        connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size)
    )
    if version != _XUCRED_VERSION or count < 1:
        return None
    return Peer(uid, groups[0], connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID))
