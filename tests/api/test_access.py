"""The system broker's routes as root, a member and others meet them, asked in process."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from broker.core.access import SocketKind, SystemSocket
from broker.core.feeds import Allow, FeedTable
from broker.keeper.renewal_policy import RenewalPolicies
from broker.providers.recognise.services import recognise
from tests.api.test_routes import (
    CORP,
    LABS,
    LEARNED_URL,
    TOOLS,
    Household,
    client_of,
    clock,
    credential,
    household,
    issuer,
    learn,
    line,
)
from tests.fake_provider import Issuer

__all__ = ["clock", "household", "issuer"]

ROOT, ALICE, BOB = 0, 1001, 1002
SYSTEM = SystemSocket()
PLACE = "/etc/token-broker/system.toml line 3"


@pytest.fixture
def shared(household: Household, issuer: Issuer) -> Household:
    """A system broker: corp is for developers, of whom alice is one and bob is none; labs is nobody's."""
    feeds = [
        replace(CORP, allow=Allow(groups=("developers",)), place=PLACE),
        replace(TOOLS, allow=Allow(groups=("developers",))),
        LABS,
    ]
    household.keeper.adopt(FeedTable(feeds, recognise, learn), {"fake": issuer}, RenewalPolicies())
    household.accounts.users = {ROOT: "root", ALICE: "alice", BOB: "bob"}
    household.accounts.groups = {"developers": {"alice"}}
    return household


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "broker.audit"):
        yield caplog


def asker(household: Household, uid: int, socket_kind: SocketKind = SYSTEM) -> httpx.AsyncClient:
    return client_of(household, uid, socket_kind)


async def test_a_member_gets_the_feed(shared: Household) -> None:
    async with asker(shared, ALICE) as alice:
        assert (await line(alice)).text == "VssSessionToken\ntoken-1\n"


async def test_who_is_not_allowed_is_told_who_could_change_that(shared: Household, issuer: Issuer) -> None:
    async with asker(shared, BOB) as bob:
        refused = await line(bob)

    assert refused.status_code == 403
    assert refused.text == (
        f"corp: bob may not use it: the administrator adds users and groups to `allow` in {PLACE}\n"
    )
    assert not issuer.asked


async def test_membership_is_asked_for_each_look_up(shared: Household) -> None:
    async with asker(shared, ALICE) as alice:
        assert (await credential(alice)).status_code == 200
        shared.accounts.groups["developers"].remove("alice")

        assert (await credential(alice)).status_code == 403


async def test_a_feed_without_allow_is_for_root_alone(shared: Household) -> None:
    async with asker(shared, ALICE) as alice, asker(shared, ROOT) as root:
        assert (await credential(alice, str(LABS.url))).status_code == 403
        assert (await credential(root, str(LABS.url))).status_code == 200


async def test_nothing_is_learned_from_a_question(shared: Household) -> None:
    async with asker(shared, ROOT) as root:
        assert (await credential(root, LEARNED_URL)).status_code == 404

    assert [feed.name for feed in shared.keeper.slot_table.feeds()] == ["corp", "tools", "labs"]


@pytest.mark.parametrize("order", ["refresh", "forget", "login", "logout"])
async def test_orders_are_roots(shared: Household, order: str) -> None:
    async with asker(shared, ALICE) as alice:
        refused = await alice.post(f"/v1/feeds/corp/{order}")

    assert refused.status_code == 403
    assert refused.json()["type"] == "not-allowed"
    assert refused.json()["hint"] == f"sudo brokerctl {order} corp"


async def test_root_may_order(shared: Household) -> None:
    async with asker(shared, ROOT) as root:
        assert (await root.post("/v1/feeds/corp/refresh")).json()["usable"]
        assert (await root.post("/v1/reload")).status_code == 200


async def test_a_reload_is_roots(shared: Household) -> None:
    async with asker(shared, ALICE) as alice:
        assert (await alice.post("/v1/reload")).status_code == 403


async def test_an_order_for_a_feed_that_one_may_not_see_tells_nothing_of_it(shared: Household) -> None:
    async with asker(shared, BOB) as bob:
        answers = [await bob.post(f"/v1/feeds/{name}/refresh") for name in ("corp", "no-such")]

    assert [answer.json()["detail"] for answer in answers] == [
        "there is no feed called corp",
        "there is no feed called no-such",
    ]


async def test_status_shows_each_user_what_is_theirs(shared: Household) -> None:
    async with asker(shared, ALICE) as alice, asker(shared, BOB) as bob, asker(shared, ROOT) as root:
        await credential(alice)
        await credential(bob)
        seen = {
            name: (await who.get("/v1/status")).json()
            for name, who in {"alice": alice, "bob": bob, "root": root}.items()
        }

    assert {name: [feed["name"] for feed in status["feeds"]] for name, status in seen.items()} == {
        "alice": ["corp", "tools"],
        "bob": [],
        "root": ["corp", "tools", "labs"],
    }
    assert {name: sum(status["lookups"].values()) for name, status in seen.items()} == {
        "alice": 2,
        "bob": 0,
        "root": 2,
    }
    assert {name: [each["uid"] for each in status["recent"]] for name, status in seen.items()} == {
        "alice": [ALICE],
        "bob": [BOB],
        "root": [ALICE, BOB],
    }


async def test_metrics_name_only_feeds_that_one_may_see(shared: Household) -> None:
    async with asker(shared, ALICE) as alice, asker(shared, BOB) as bob:
        await credential(alice)
        seen = [(await who.get("/metrics")).text for who in (alice, bob)]

    assert ['feed="corp"' in text for text in seen] == [True, False]
    assert not any('feed="labs"' in text for text in seen)


async def test_a_member_may_have_a_look_up_explained_and_renews_nothing_by_that(
    shared: Household, issuer: Issuer
) -> None:
    async with asker(shared, ALICE) as alice:
        await credential(alice)
        told = await alice.post("/v1/explain", params={"url": str(CORP.url)})

    assert len(issuer.asked) == 1
    assert [json.loads(step)["step"] for step in told.text.splitlines()][:2] == ["feed", "realm"]


async def test_every_look_up_is_audited_without_its_secret(
    shared: Household, audited: pytest.LogCaptureFixture
) -> None:
    async with asker(shared, ALICE) as alice, asker(shared, BOB) as bob:
        await credential(alice)
        await credential(alice)
        await credential(bob)
        await credential(alice, "https://elsewhere.example/simple/")

    assert [record.message for record in audited.records if record.name == "broker.audit"] == [
        "lookup uid=1001 pid=811 feed=corp outcome=wait",
        "lookup uid=1001 pid=811 feed=corp outcome=hit",
        "lookup uid=1002 pid=811 feed=corp outcome=not-allowed",
        "lookup uid=1001 pid=811 feed=- outcome=no-feed",
    ]
