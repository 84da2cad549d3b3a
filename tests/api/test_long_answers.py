"""Answers that last, on a real socket: they leave connections for questions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.api.asgi import AsgiApp
from broker.core.feeds import FeedTable
from broker.keeper.keeper import Keeper
from broker.keeper.renewal_policy import RenewalPolicies
from broker.providers.recognise.services import recognise
from broker.server.limits import Limits
from tests.api.test_routes import CORP, Household, learn
from tests.fake_clock import FakeClock
from tests.fake_provider import Gatekeeper, Issuer
from tests.server.serving import Serving, serving

LISTEN = b"GET /v1/events HTTP/1.1\r\nHost: broker\r\n\r\n"
LOOK_UP = f"GET /v1/credential?url={CORP.url} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n".encode()

CONNECTIONS = 12
PLACES = 3


@pytest.fixture
async def server(place: Path) -> AsyncIterator[Serving]:
    clock, gatekeeper = FakeClock(), Gatekeeper()
    keeper = Keeper(
        clock=clock,
        table=FeedTable([CORP], recognise, learn),
        providers={"fake": Issuer(clock)},
        policies=RenewalPolicies(),
        verify_at=gatekeeper,
        draw=lambda: 0.0,
    )
    household = Household(keeper, gatekeeper)
    async with serving(place, AsgiApp(household), limits=Limits(connections=CONNECTIONS)) as running:
        yield running
        household.ending.set()
    keeper.close()


async def listening(server: Serving, request: bytes = LISTEN) -> tuple[bytes, asyncio.StreamWriter]:
    """The head of the answer, and the connection, which stays open."""
    reader, writer = await server.connect()
    writer.write(request)
    return await reader.readuntil(b"\r\n\r\n"), writer


async def test_listeners_leave_connections_for_look_ups(server: Serving) -> None:
    heads = [await listening(server) for _ in range(CONNECTIONS - 1)]

    statuses = [head.split()[1] for head, _ in heads]
    assert statuses == [b"200"] * PLACES + [b"503"] * (CONNECTIONS - 1 - PLACES)
    assert b"retry-after: 5" in heads[-1][0].lower()
    assert b'"password":"token-1"' in await server.send(LOOK_UP)
    for _, writer in heads:
        writer.close()


@pytest.mark.parametrize("request_line", [f"POST /v1/explain?url={CORP.url}", "POST /v1/feeds/corp/login"])
async def test_every_answer_that_lasts_takes_a_place(server: Serving, request_line: str) -> None:
    heads = [await listening(server) for _ in range(PLACES)]

    refused, writer = await listening(server, f"{request_line} HTTP/1.1\r\nHost: broker\r\n\r\n".encode())

    assert refused.split()[1] == b"503"
    for each in (writer, *(writer for _, writer in heads)):
        each.close()


async def test_a_listener_that_hangs_up_makes_room(server: Serving) -> None:
    heads = [await listening(server) for _ in range(PLACES)]
    heads[0][1].close()

    async with asyncio.timeout(5):
        while True:
            head, writer = await listening(server)
            writer.close()
            if head.split()[1] == b"200":
                break

    for _, each in heads:
        each.close()
