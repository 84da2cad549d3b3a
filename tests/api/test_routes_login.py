"""The routes of signing in and out, asked in process with a sign-in that the test has written down."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from broker.api.routes_login import _told
from broker.core.failures import SignInNeeded
from broker.core.login_progress import Kept, LoginMethod, LoginPage, SignedIn
from tests.api.test_routes import CORP, Household, client, clock, credential, household, issuer
from tests.fake_clock import START, settle
from tests.fake_provider import Issuer

__all__ = ["client", "clock", "household", "issuer"]

PAGE = LoginPage("https://login.example/device", "ABCD", START.after(900).wall)


async def told(client: httpx.AsyncClient, name: str = "corp", **query: str) -> list[dict[str, Any]]:
    response = await client.post(f"/v1/feeds/{name}/login", params=query)
    assert response.headers["content-type"].startswith("application/jsonl")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_a_sign_in_is_told_from_its_page_to_every_feed_that_is_ready(
    client: httpx.AsyncClient, household: Household
) -> None:
    household.steps = [PAGE, SignedIn("dev@acme.example", Kept.MEMORY)]

    assert await told(client) == [
        {
            "step": "page",
            "url": "https://login.example/device",
            "code": "ABCD",
            "expires_at": "2026-01-02T03:19:05Z",
        },
        {"step": "signed-in", "account": "dev@acme.example", "kept": "memory"},
        {"step": "feed", "feed": "corp", "usable": True, "state": "fresh", "detail": None, "hint": None},
        {"step": "feed", "feed": "tools", "usable": True, "state": "fresh", "detail": None, "hint": None},
    ]


async def test_a_feed_that_is_not_ready_after_all_says_why(
    client: httpx.AsyncClient, household: Household, issuer: Issuer
) -> None:
    household.steps = [SignedIn("dev@acme.example", Kept.FILE)]
    issuer.failure = SignInNeeded("no right to packages", hint="ask somebody")

    assert (await told(client))[1] == {
        "step": "feed",
        "feed": "corp",
        "usable": False,
        "state": "sign-in-needed",
        "detail": "no right to packages",
        "hint": "ask somebody",
    }


async def test_a_sign_in_that_fails_says_why_and_fetches_nothing(
    client: httpx.AsyncClient, household: Household, issuer: Issuer
) -> None:
    household.steps = [PAGE, SignInNeeded("declined", hint="brokerctl login corp")]

    assert (await told(client))[1:] == [
        {"step": "failed", "type": "sign-in-needed", "detail": "declined", "hint": "brokerctl login corp"}
    ]
    assert issuer.asked == []


async def test_the_ways_and_the_place_are_the_callers_choice(
    client: httpx.AsyncClient, household: Household
) -> None:
    household.steps = [SignedIn("dev", Kept.FILE)]
    await told(client, "tools", ways="browser,device-code", in_file="true")

    assert household.signing[0] == ("tools", (LoginMethod.BROWSER, LoginMethod.DEVICE_CODE), True)


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("/v1/feeds/nothing/login", 404, "no-feed"),
        ("/v1/feeds/nothing/logout", 404, "no-feed"),
        ("/v1/feeds/corp/login?ways=telepathy", 400, "bad-request"),
        ("/v1/feeds/corp/login?in_file=perhaps", 400, "bad-request"),
        ("/v1/feeds/labs/logout", 400, "bad-request"),
    ],
)
async def test_what_cannot_begin_is_a_problem(
    client: httpx.AsyncClient, path: str, status: int, slug: str
) -> None:
    response = await client.post(path)

    assert (response.status_code, response.json()["type"]) == (status, slug)


async def test_ending_the_request_gives_the_sign_in_up(household: Household) -> None:
    stream = _told(household, CORP, household.sign_in(CORP, [LoginMethod.DEVICE_CODE], in_file=False))
    reading = asyncio.ensure_future(anext(stream))
    await settle()
    reading.cancel()
    await settle()

    assert household.signing[-1] == "over"


async def test_the_daemons_end_ends_a_sign_in_and_says_so(household: Household) -> None:
    stream = _told(household, CORP, household.sign_in(CORP, [LoginMethod.DEVICE_CODE], in_file=False))
    reading = asyncio.ensure_future(anext(stream))
    await settle()
    household.ending.set()

    assert json.loads(await reading)["type"] == "unavailable"
    assert [line async for line in stream] == []
    await settle()
    assert household.signing[-1] == "over"


async def test_signing_out_drops_the_realms_tokens_and_says_what_remains(client: httpx.AsyncClient) -> None:
    await credential(client)
    response = await client.post("/v1/feeds/tools/logout")

    assert response.json() == {
        "step": "signed-out",
        "account": "dev@acme.example",
        "remains": ["a token that was handed out"],
    }
    assert (await client.get("/v1/status")).json()["feeds"][0]["state"] == "empty"


async def test_a_token_that_was_fetched_while_the_sign_in_ended_is_dropped_too(
    client: httpx.AsyncClient, household: Household
) -> None:
    household.leaving.clear()
    leaving = asyncio.create_task(client.post("/v1/feeds/corp/logout"))
    await settle()
    await credential(client)
    household.leaving.set()
    await leaving

    assert (await client.get("/v1/status")).json()["feeds"][0]["state"] == "empty"


async def test_no_line_shows_a_token(client: httpx.AsyncClient, household: Household) -> None:
    household.steps = [PAGE, SignedIn("dev", Kept.MEMORY)]
    response = await client.post("/v1/feeds/corp/login")

    assert "token-1" not in response.text
