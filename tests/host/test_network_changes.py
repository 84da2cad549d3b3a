"""The kernel's news of addresses and routes: parsed, told once, and heard from a real network namespace."""

import struct

import pytest

from broker.host.network_changes import (
    LOST_ADDRESS,
    LOST_ROUTE,
    MAIN_TABLE,
    NEW_ADDRESS,
    NEW_ROUTE,
    SCOPE_LINK,
    NetworkChanges,
    changes_in,
)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def address(kind: int, last: int, scope: int = 0) -> bytes:
    words = attribute(1, bytes((192, 0, 2, last))) + attribute(6, b"lifetimes" + bytes((last,)))
    return message(kind, struct.pack("=BBBBI", 2, 24, 0, scope, 3) + words)


def route(kind: int, gateway: int, bits: int = 0, table: int = MAIN_TABLE) -> bytes:
    words = attribute(5, bytes((192, 0, 2, gateway))) + attribute(4, struct.pack("=I", 3))
    return message(kind, struct.pack("=BBBBBBBBI", 2, bits, 0, 0, table, 3, 0, 1, 0) + words)


@pytest.mark.parametrize(
    ("datagrams", "news"),
    [
        ([address(NEW_ADDRESS, 1)], [True]),
        ([address(NEW_ADDRESS, 1), address(NEW_ADDRESS, 1)], [True, False]),  # announced again
        ([address(NEW_ADDRESS, 1), address(NEW_ADDRESS, 2)], [True, True]),
        ([address(LOST_ADDRESS, 1)], [True]),
        ([address(NEW_ADDRESS, 1), address(LOST_ADDRESS, 1), address(NEW_ADDRESS, 1)], [True] * 3),
        ([address(NEW_ADDRESS, 1, SCOPE_LINK)], [False]),
        ([route(NEW_ROUTE, 1)], [True]),
        ([route(NEW_ROUTE, 1), route(LOST_ROUTE, 1)], [True, True]),
        ([route(NEW_ROUTE, 1, bits=24)], [False]),  # no way out
        ([route(NEW_ROUTE, 1, table=255)], [False]),
        ([address(NEW_ADDRESS, 1, SCOPE_LINK) + route(NEW_ROUTE, 1)], [True]),
    ],
)
async def test_what_came_or_went_is_news_once(datagrams: list[bytes], news: list[bool]) -> None:
    changes = NetworkChanges(lambda: None)
    try:
        assert [changes.is_news(datagram) for datagram in datagrams] == news
    finally:
        changes.close()


@pytest.mark.parametrize("cut", range(60))
def test_a_cut_or_senseless_datagram_is_no_defect(cut: int) -> None:
    whole = address(NEW_ADDRESS, 1) + route(NEW_ROUTE, 1)

    assert len(list(changes_in(whole[:cut]))) <= 1
    list(changes_in(b"\0" * cut))
    list(changes_in(b"\xff" * cut))
