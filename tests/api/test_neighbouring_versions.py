"""A shim and a daemon of another version: what docs/reference/compatibility.md promises, the daemon's half.

The shims' half, by the same words, is tests/contract/test_versions.py; brokerctl's is
tests/ctl/test_neighbouring_versions.py.
"""

from pathlib import Path

import httpx
import pytest

from broker.api.asgi import AsgiApp
from broker.api.fast_path import replies_of
from tests.api.test_routes import (
    CORP,
    Household,
    client,
    clock,
    household,
    issuer,
)
from tests.contract.words_of_0_1 import ANSWERS, REQUESTS, URL, WAIT
from tests.server.serving import serving

__all__ = ["client", "clock", "household", "issuer"]

NEW = {"brand_new": "of a later version"}


@pytest.mark.parametrize("wait", [b"29.500", b"0.001", b"300"], ids=bytes.decode)
@pytest.mark.parametrize("words", REQUESTS, ids=" ".join)
async def test_daemon_answers_a_shim_of_0_1_in_its_words(
    place: Path, household: Household, words: tuple[str, ...], wait: bytes
) -> None:
    async with serving(place, AsgiApp(household), reply=replies_of(household)) as served:
        await served.send(next(iter(REQUESTS.values())).replace(WAIT, b"20"))

        answer = await served.send(REQUESTS[words].replace(WAIT, wait))

    assert answer == ANSWERS[words]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"&wait=WAIT", b""),
        (b"&wait=WAIT", b"&wait=20&brand_new=1"),
        (b"?url", b"?brand_new=1&url"),
        (b"Accept:", b"X-Brand-New: 1\r\nAccept:"),
        (b"Connection: close\r\n", b"Priority: u=1\r\nConnection: close\r\n"),
    ],
    ids=["no wait", "parameter", "first parameter", "header field", "last header field"],
)
async def test_daemon_answers_a_shim_that_says_less_or_more(
    place: Path, household: Household, old: bytes, new: bytes
) -> None:
    words = ("--mode", "creds", "get", URL)
    request = REQUESTS[words]
    assert old in request
    async with serving(place, AsgiApp(household), reply=replies_of(household)) as served:
        answer = await served.send(request.replace(old, new).replace(WAIT, b"20"))

    assert answer == ANSWERS[words]


@pytest.mark.parametrize(
    ("method", "path", "parameters"),
    [
        ("GET", "/v1/health", {}),
        ("GET", "/v1/status", {}),
        ("GET", "/v1/match", {"url": URL}),
        ("GET", "/v1/credential", {"url": URL}),
        ("GET", "/v1/logs", {}),
        ("GET", "/v1/shares", {}),
        ("POST", "/v1/explain", {"url": URL}),
        ("POST", "/v1/feeds/corp/refresh", {}),
        ("POST", "/v1/feeds/corp/forget", {}),
        ("POST", "/v1/feeds/corp/verify", {}),
        ("POST", "/v1/feeds/corp/logout", {}),
        ("POST", "/v1/reload", {}),
    ],
    ids=str,
)
async def test_route_takes_what_a_later_client_says_besides(
    client: httpx.AsyncClient, method: str, path: str, parameters: dict[str, str]
) -> None:
    await client.get("/v1/credential", params={"url": str(CORP.url)})

    answer = await client.request(method, path, params={**parameters, **NEW}, headers={"X-Brand-New": "1"})

    assert answer.status_code == 200
