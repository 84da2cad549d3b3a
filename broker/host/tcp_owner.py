"""Whose the other end of a loopback connection is, as the kernel says. Linux alone says so."""

import socket
import struct
import sys
from pathlib import Path
from typing import NamedTuple

TABLE = Path("/proc/net/tcp")
ANSWER_BYTES_MAX = 8192

# linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h
_NETLINK, _SOCK_DIAG = 16, 4  # AF_NETLINK, NETLINK_SOCK_DIAG
_BY_FAMILY, _REQUEST = 20, 1  # SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST
_ANY_STATE = _NO_COOKIE = 0xFFFFFFFF

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_QUESTION = struct.Struct("=BBBBI")  # inet_diag_req_v2: family, protocol, extensions, padding, states
_PORTS = struct.Struct("!HH")  # inet_diag_sockid: source, destination, two addresses, interface, cookie
_ADDRESS_BYTES = 16
_REST_OF_ID = struct.Struct("=III")
_SOCKET_BYTES = 4 + 48  # inet_diag_msg: four small numbers and an inet_diag_sockid, before
_ANSWER = struct.Struct("=IIIII")  # expires, two queues, uid, inode


class TcpOwner(NamedTuple):
    """`uid` is of who made the socket; `is_open`: somebody holds it, for the uid means nothing else."""

    uid: int
    is_open: bool


def owner_of_peer(connection: socket.socket) -> TcpOwner | None:
    """The owner of the other end of an IPv4 connection within this machine; None where the kernel does not
    tell, or knows no such socket any more. Never raises.

    Asked for this one socket by sock_diag(7), which takes some 40 µs. Where that is missing the whole of
    /proc/net/tcp is read, through which the kernel looks up every place of its table: 1 to 40 ms by the
    machine's memory, whatever the number of connections (measured).
    """
    if sys.platform != "linux" or connection.family != socket.AF_INET:
        return None
    try:
        here, there = connection.getsockname(), connection.getpeername()
        return _by_netlink(here, there) or _by_table(here, there)
    except (OSError, ValueError, struct.error):
        return None


def _by_netlink(here: tuple[str, int], there: tuple[str, int]) -> TcpOwner | None:
    its_id = _PORTS.pack(there[1], here[1]) + _padded(there[0]) + _padded(here[0])
    its_id += _REST_OF_ID.pack(0, _NO_COOKIE, _NO_COOKIE)
    question = _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + its_id
    try:
        with socket.socket(_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
            kernel.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 1, 0) + question)
            told = kernel.recv(ANSWER_BYTES_MAX, socket.MSG_DONTWAIT)  # it has answered within `send`
    except OSError:
        return None
    _, kind, *_ = _HEADER.unpack_from(told)
    if kind != _BY_FAMILY:
        return None  # no such socket, or a kernel without tcp_diag: the table knows which
    *_, uid, inode = _ANSWER.unpack_from(told, _HEADER.size + _SOCKET_BYTES)
    return TcpOwner(uid, inode != 0)


def _by_table(here: tuple[str, int], there: tuple[str, int]) -> TcpOwner | None:
    ends = f"{_spelt(*there)} {_spelt(*here)} "
    for line in TABLE.read_text("ascii").splitlines():
        if ends in line:
            words = line.split()
            return TcpOwner(int(words[7]), words[9] != "0")
    return None


def _padded(address: str) -> bytes:
    return socket.inet_aton(address).ljust(_ADDRESS_BYTES, b"\0")


def _spelt(address: str, port: int) -> str:
    """An end as proc_pid_net(5) has it: the address as a number in the machine's order, in hexadecimal."""
    number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    return f"{number:08X}:{port:04X}"
