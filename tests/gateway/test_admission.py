"""Nobody uses a gateway who lacks the run's secret, or is another user."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from broker.gateway.admission import is_own_peer
from broker.gateway.deadlines import Deadlines
from tests.gateway.gateway_room import SECRET, GatewayRoom, connect_words, proxy_login, read_answer, read_head

if TYPE_CHECKING:
    from tests.fakes.connect_proxy import ConnectProxy
    from tests.gateway.gateway_room import TableBroker

pytestmark = pytest.mark.usefixtures("broker")

HOST = "packages.example"


@pytest.mark.parametrize(
    "login",
    [
        "",
        f"Proxy-Authorization: {proxy_login('0' * 64)}\r\n",
        f"Proxy-Authorization: {proxy_login(SECRET[:-1])}\r\n",
        f"Proxy-Authorization: {proxy_login(SECRET)[:-4]}\r\n",
        f"Proxy-Authorization: Bearer {SECRET}\r\n",
        f"Proxy-Authorization: Basic {SECRET}\r\n",
        "Proxy-Authorization: Basic\r\n",
        f"Authorization: {proxy_login()}\r\n",
        f"Proxy-Authorization: {proxy_login()}\r\nProxy-Authorization: {proxy_login()}\r\n",
    ],
)
@pytest.mark.parametrize("words", [f"CONNECT {HOST}:443", "GET http://other.example/"])
def test_without_the_secret_it_is_a_407(
    proxy: ConnectProxy, broker: TableBroker, words: str, login: str
) -> None:
    host = words.split()[1].removeprefix("http://").rstrip("/")
    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        connection.sendall(f"{words} HTTP/1.1\r\nHost: {host}\r\n{login}\r\n".encode())
        got = read_answer(connection, "CONNECT" if words.startswith("CONNECT") else "GET")

    assert (got.status, got.fields["proxy-authenticate"]) == (407, 'Basic realm="token-broker gateway"')
    assert proxy.hosts == []
    assert broker.asked == []


def test_after_a_407_the_same_connection_may_show_the_secret(proxy: ConnectProxy) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        connection.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
        assert read_head(connection).startswith(b"HTTP/1.1 407 ")

        connection.sendall(connect_words(f"{HOST}:443"))

        assert read_head(connection).startswith(b"HTTP/1.1 200 ")


def test_connect_of_pythons_http_client_has_no_host(proxy: ConnectProxy) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway, gateway.dial() as connection:
        login = f"Proxy-Authorization: {proxy_login()}"
        connection.sendall(f"CONNECT {HOST}:443 HTTP/1.0\r\n{login}\r\n\r\n".encode())

        assert read_head(connection).startswith(b"HTTP/1.1 200 ")


class ScarceListener(socket.socket):
    """Meets a machine without a free descriptor, and then one that has some."""

    def accept(self) -> tuple[socket.socket, object]:
        if not self.failures:
            return super().accept()
        raise OSError(self.failures.pop(), "no more files")

    failures: list[int]


def test_want_of_descriptors_ends_no_gateway(proxy: ConnectProxy) -> None:
    room = GatewayRoom(proxy, [HOST], deadlines=Deadlines(scarce_s=0.01))
    room._listener = ScarceListener(fileno=room._listener.detach())
    room._listener.failures = [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED]

    with room as gateway, gateway.connect(HOST):
        pass

    assert room._listener.failures == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_own_connection_is_own() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert is_own_peer(accepted)


CONNECTING = """
import encodings.idna, os, socket, sys  # nothing can be imported as a user who cannot read this interpreter
_, port, uid = sys.argv
os.setuid(int(uid))
connection = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
try:
    connection.sendall(sys.stdin.buffer.read())
    print(connection.recv(12))
except ConnectionError:
    print(b"")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become another user")
@pytest.mark.parametrize(("uid", "got"), [(0, b"HTTP/1.1 200"), (65534, b"")])
def test_another_user_with_the_secret_is_hung_up_on(proxy: ConnectProxy, uid: int, got: bytes) -> None:
    with GatewayRoom(proxy, [HOST]) as gateway:
        ended = subprocess.run(
            [sys.executable, "-c", CONNECTING, str(gateway.port), str(uid)],
            input=connect_words(f"{HOST}:443"),
            capture_output=True,
            check=True,
            timeout=60,
        )

    assert ended.stdout.decode() == f"{got!r}\n"
