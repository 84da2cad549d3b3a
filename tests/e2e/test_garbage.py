"""Garbage on the socket costs its sender the connection, and nobody else anything."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED
from tests.e2e.patience import until
from tests.e2e.wire import request_bytes

if TYPE_CHECKING:
    import socket

    from tests.e2e.brokerd import Brokerd

GOOD = request_bytes("GET", "/v1/health")
ORDER = request_bytes("POST", "/v1/reload")
_NOISE = random.Random(20).randbytes  # noqa: S311 - the same garbage each time

GARBAGE = {
    "silence": b"",
    "noise": _NOISE(4096),
    "zeros": bytes(4096),
    "much noise": _NOISE(1 << 20),
    "lines of nothing": b"\r\n" * 5000,
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + _NOISE(500),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "half a request": GOOD[:-2],
    "half a line": b"GET /v1/hea",
    "a line without end": b"GET /" + b"a" * 100_000,
    "a header without end": GOOD[:-2] + b"X: " + b"a" * 100_000,
    "headers without end": GOOD[:-2] + b"X: y\r\n" * 20_000,
    "a body that does not come": ORDER[:-2] + b"Content-Length: 1000\r\n\r\n",
    "a body of a terabyte": ORDER[:-2] + b"Content-Length: 1000000000000\r\n\r\n",
    "a negative body": ORDER[:-2] + b"Content-Length: -1\r\n\r\n",
    "chunks": ORDER[:-2] + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    "two lengths": GOOD[:-2] + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + GOOD,
}


def is_hung_up_on(broker: Brokerd, garbage: bytes) -> bool:
    """Send it and read whatever comes: whether that ends."""
    with broker.wire.connect() as connection:
        try:
            connection.sendall(garbage)
            while connection.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            return True
        except TimeoutError:
            return False
    return True


def test_garbage_costs_its_sender_the_connection(broker: Brokerd) -> None:
    with ThreadPoolExecutor(len(GARBAGE)) as pool:
        ended = list(pool.map(is_hung_up_on, [broker] * len(GARBAGE), GARBAGE.values()))

    assert dict(zip(GARBAGE, ended, strict=True)) == dict.fromkeys(GARBAGE, True)


def test_good_look_ups_are_answered_while_garbage_pours_in(broker: Brokerd) -> None:
    said = len(broker.log)
    statuses = set()
    with ThreadPoolExecutor(64) as pool:
        bothering = [pool.submit(is_hung_up_on, broker, garbage) for garbage in (*GARBAGE.values(),) * 12]
        while not all(each.done() for each in bothering):
            statuses.add(broker.wire.look_up(PLAIN_FEED).status)

    assert statuses == {200}
    news = broker.log[said:]
    assert "Traceback" not in news
    assert len(news) < 10_000


@pytest.mark.skipif(os.geteuid() != 0, reason="the daemon shows its descriptors to root alone")
def test_garbage_leaves_no_descriptor_behind(broker: Brokerd) -> None:
    broker.wire.look_up(PLAIN_FEED)
    before = descriptors(broker)

    for garbage in GARBAGE.values():
        with broker.wire.connect() as connection:
            hang_up_after(connection, garbage[:4096])

    until(lambda: descriptors(broker) <= before, "number of descriptors as before")


def hang_up_after(connection: socket.socket, garbage: bytes) -> None:
    try:
        connection.sendall(garbage)
    except (BrokenPipeError, ConnectionResetError):
        return


def descriptors(broker: Brokerd) -> int:
    return len(list(Path(f"/proc/{broker.pid}/fd").iterdir()))
