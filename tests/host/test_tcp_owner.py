"""Whose the other end of a connection is, by both ways in which Linux tells."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from broker.host import tcp_owner
from broker.host.tcp_owner import TcpOwner, owner_of_peer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")

Way = Callable[[tuple[str, int], tuple[str, int]], TcpOwner | None]
WAYS = (tcp_owner._by_netlink, tcp_owner._by_table)

CONNECTING = """
import encodings.idna, os, socket, sys  # nothing can be imported as a user who cannot read this interpreter
os.setuid(65534)
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60)
if sys.argv[2] == "half":
    connection.shutdown(socket.SHUT_WR)
sys.stdin.read()
"""


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection's two ends, ours and the accepted one."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as connecting,
        listener.accept()[0] as accepted,
    ):
        yield connecting, accepted


@pytest.mark.parametrize("way", WAYS)
def test_own_end_is_ours_and_open(way: Way) -> None:
    with pair() as (_, accepted):
        assert way(accepted.getsockname(), accepted.getpeername()) == (os.geteuid(), True)


@pytest.mark.parametrize("way", WAYS)
def test_end_that_was_closed_is_not_open(way: Way) -> None:
    with pair() as (connecting, accepted):
        ends = accepted.getsockname(), accepted.getpeername()
        connecting.close()
        owner = way(*ends)

    assert owner is not None
    assert not owner.is_open


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become another user")
@pytest.mark.parametrize("ending", ["open", "half"])
@pytest.mark.parametrize("way", WAYS)
def test_other_users_end_is_theirs_also_when_it_says_no_more(way: Way, ending: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", CONNECTING, str(listener.getsockname()[1]), ending]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as other, listener.accept()[0] as accepted:
            if ending == "half":
                assert accepted.recv(1) == b""
            owner = way(accepted.getsockname(), accepted.getpeername())
            other.communicate(b"")

    assert owner == (65534, True)


def test_socket_of_another_kind_has_no_owner() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert owner_of_peer(one) is None


def test_where_netlink_does_not_tell_the_table_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_owner, "_SOCK_DIAG", 31)  # no such protocol

    with pair() as (_, accepted):
        assert owner_of_peer(accepted) == (os.geteuid(), True)
