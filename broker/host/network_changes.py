"""NetworkChanges: tells when this machine got or lost an address, or its way out.

Linux alone says so, over rtnetlink(7), to everybody. Elsewhere nothing is told: a token in use is tried often
enough without it.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

GROUPS = 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE and their IPv6 twins (linux/rtnetlink.h)."""

NEW_ADDRESS, LOST_ADDRESS, NEW_ROUTE, LOST_ROUTE = 20, 21, 24, 25
"""RTM_NEWADDR, RTM_DELADDR, RTM_NEWROUTE, RTM_DELROUTE."""

SCOPE_LINK = 253
"""RT_SCOPE_LINK: an address from here on is of no use beyond its own link."""

MAIN_TABLE = 254
MESSAGE_BYTES_MAX = 65536

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, interface
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, destination length, ..., table, protocol, scope, type
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type

_ADDRESS_WORDS = (1, 2)  # IFA_ADDRESS, IFA_LOCAL
_ROUTE_WORDS = (4, 5)  # RTA_OIF, RTA_GATEWAY


class Change(NamedTuple):
    """One address or default route that came or went; `of` is equal for the same one."""

    is_new: bool
    of: tuple[object, ...]


class NetworkChanges:
    """Calls `changed` after each change, in the event loop's thread, until `close`.

    What comes a second time without having gone is no change: routers announce the same again and again.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._known: set[tuple[object, ...]] = set()
        self._socket = _listening()
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        """Tell nothing more."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        try:
            message = self._socket.recv(MESSAGE_BYTES_MAX) if self._socket is not None else b""
        except BlockingIOError:
            return
        except OSError:  # ENOBUFS: so much happened that some of it was lost
            self._changed()
            return
        if self.is_news(message):
            self._changed()

    def is_news(self, message: bytes) -> bool:
        """True when something came or went by this datagram."""
        news = False
        for change in changes_in(message):
            news |= not change.is_new or change.of not in self._known
            if change.is_new:
                self._known.add(change.of)
            else:
                self._known.discard(change.of)
        return news


def changes_in(datagram: bytes) -> Iterator[Change]:
    """The addresses and default routes that a datagram of rtnetlink is about, in its order."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, *_ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size:
            return
        body = datagram[at + _HEADER.size : at + length]
        if kind in {NEW_ADDRESS, LOST_ADDRESS} and len(body) >= _ADDRESS.size:
            family, prefix, _, scope, interface = _ADDRESS.unpack_from(body)
            if scope < SCOPE_LINK:
                words = _attributes(body[_ADDRESS.size :], _ADDRESS_WORDS)
                yield Change(kind == NEW_ADDRESS, ("address", family, prefix, interface, *words))
        elif kind in {NEW_ROUTE, LOST_ROUTE} and len(body) >= _ROUTE.size:
            family, destination_bits, _, _, table, *_ = _ROUTE.unpack_from(body)
            if destination_bits == 0 and table == MAIN_TABLE:
                words = _attributes(body[_ROUTE.size :], _ROUTE_WORDS)
                yield Change(kind == NEW_ROUTE, ("route", family, *words))
        at += _aligned(length)


def _attributes(body: bytes, wanted: tuple[int, ...]) -> tuple[tuple[int, bytes], ...]:
    found, at = [], 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        if kind in wanted:
            found.append((kind, body[at + _ATTRIBUTE.size : at + length]))
        at += _aligned(length)
    return tuple(sorted(found))


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _listening() -> socket.socket | None:
    """The kernel's news, or None where it tells none."""
    if not hasattr(socket, "AF_NETLINK"):
        return None
    try:
        news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)  # 0: NETLINK_ROUTE
    except OSError:
        return None
    try:
        news.setblocking(False)  # noqa: FBT003 - the socket's own signature
        news.bind((0, GROUPS))
    except OSError:
        news.close()
        return None
    return news
