"""A laptop that changes its network: tokens bound to its old address are replaced by themselves."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.brokerd import PROGRAM as BROKERD
from tests.e2e.household import AZURE_FEED, Household, feed
from tests.e2e.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTSIDE, FIRST, SECOND = "10.213.0.1", "10.213.0.2", "10.213.0.3"
OVER_WITHIN_S = 3.0

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2"),
]


class Namespace:
    """A network of its own for a daemon, with a wire to this one."""

    def __init__(self, pid: int) -> None:
        self.enter = ("nsenter", "-t", str(pid), "-n")
        self._wire = f"tb{pid}"
        run("ip", "link", "add", self._wire, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        run("ip", "address", "add", f"{OUTSIDE}/24", "dev", self._wire)
        run("ip", "link", "set", self._wire, "up")
        run(*self.enter, "ip", "link", "set", "lo", "up")
        run(*self.enter, "ip", "link", "set", "eth0", "up")
        run(*self.enter, "ip", "address", "add", f"{FIRST}/24", "dev", "eth0")

    def move(self) -> None:
        """Another address, as in another network."""
        run(*self.enter, "ip", "address", "delete", f"{FIRST}/24", "dev", "eth0")
        run(*self.enter, "ip", "address", "add", f"{SECOND}/24", "dev", "eth0")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo made; exec sleep infinity"], stdout=-1
    ) as kept:
        try:
            assert kept.stdout is not None
            assert kept.stdout.readline() == b"made\n"
            yield Namespace(kept.pid)
        finally:
            kept.kill()  # the wire goes with its other end


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def bound_to_addresses(house: Household) -> Iterator[int]:
    """The way to the proxy from the namespace: who comes from another address finds all tokens revoked."""
    callers: set[str] = set()
    there = house.environment["HTTPS_PROXY"].rpartition("//")[2].rstrip("/").rpartition(":")

    class Wire(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if callers and self.client_address[0] not in callers:
                house.acme.revoke_all()
                callers.clear()
            callers.add(self.client_address[0])
            with socket.create_connection((there[0].rpartition("@")[2], int(there[2]))) as onward:
                back = threading.Thread(target=pump, args=(onward, self.request))
                back.start()
                pump(self.request, onward)
                back.join()

    server = socketserver.ThreadingTCPServer((OUTSIDE, 0), Wire)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_a_token_bound_to_the_old_address_is_replaced_within_three_seconds(
    house: Household, namespace: Namespace
) -> None:
    house.configure(feed("corp", AZURE_FEED))
    with bound_to_addresses(house) as port:
        for name in ("HTTPS_PROXY", "https_proxy"):
            house.environment[name] = f"http://{OUTSIDE}:{port}"
        with house.brokerd(program=(*namespace.enter, BROKERD)) as broker:
            before = broker.wire.look_up(AZURE_FEED).password
            until(lambda: broker.wire.feed("corp")["verdict"] == "accepted", "verdict")
            namespace.move()
            moved = time.monotonic()
            until(lambda: broker.wire.feed("corp")["fetches"] > 1, "second fetch", OVER_WITHIN_S)
            after = broker.wire.look_up(AZURE_FEED).password
            took_s = time.monotonic() - moved

    assert house.acme.identify(before) is None
    assert house.acme.identify(after) is not None
    assert took_s < OVER_WITHIN_S
