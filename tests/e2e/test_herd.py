"""A thousand look-ups at once cost one fetch, wherever they wait: in the daemon or at its door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from broker.server.limits import raise_fd_limit
from tests.e2e.household import AZURE_FEED, OLD_AZURE_FEED, USER, Household, feed
from tests.e2e.patience import PATIENCE_S
from tests.e2e.wire import request_bytes
from tests.sampling import sampled

if TYPE_CHECKING:
    from pathlib import Path

HERD = 1000


async def ask(socket: Path, url: str, asked: asyncio.Barrier) -> bytes:
    """One look-up, as bytes; returns the whole answer. Nobody goes on before all have asked."""
    reader, writer = await asyncio.open_unix_connection(socket)
    target = f"/v1/credential?{urlencode({'url': url, 'wait': PATIENCE_S})}"
    writer.write(
        request_bytes("GET", target, {"Host": "broker", "Accept": "text/plain", "Connection": "close"})
    )
    await writer.drain()
    await asked.wait()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "configuration", sampled({"learned": "", "configured": feed("corp", AZURE_FEED)}, ["configured"])
)
async def test_a_thousand_first_look_ups_at_once_fetch_once(house: Household, configuration: str) -> None:
    raise_fd_limit()
    house.configure(configuration)
    everybody_asked = asyncio.Barrier(HERD + 1)

    with house.forked_brokerd() as broker:
        with house.az.held():
            urls = (AZURE_FEED, OLD_AZURE_FEED)
            asking = [
                asyncio.create_task(ask(house.socket, urls[number % 2], everybody_asked))
                for number in range(HERD)
            ]
            async with asyncio.timeout(PATIENCE_S):
                await everybody_asked.wait()
            house.az.wait_for_calls(1)
        answers = await asyncio.gather(*asking)
        status = broker.wire.status()

    assert len(house.az.calls) == 1
    assert len(house.acme.exchanges) == 1
    assert {answer.splitlines()[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    [token] = house.acme.issued
    assert {answer.splitlines()[-1] for answer in answers} == {token.value.encode()}
    assert status["lookups"]["hit"] + status["lookups"]["wait"] == HERD
    assert [one["account"] for one in status["feeds"]] == [USER]
