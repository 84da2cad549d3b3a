"""The routes of shares, and what their callers are answered: real sockets, requests in process."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from broker.core.access import OwnSocket, ShareSocket, SystemSocket
from broker.core.feeds import PUBLISH, FeedTable
from broker.daemon.shares import Shares
from broker.keeper.renewal_policy import RenewalPolicies
from broker.providers.recognise.services import recognise
from broker.server.listener_spec import ListenerSpec
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
from tests.fake_clock import FakeClock, settle
from tests.fake_provider import Issuer

__all__ = ["clock", "household", "issuer"]

ALICE, BOB, UNMAPPED = 1001, 1002, 65534
OWN, SYSTEM, DEV = OwnSocket(), SystemSocket(), ShareSocket("dev")
RENEWAL = "brokerctl share --feed corp --for 8h --name dev"


class Ajar:
    """A door that nobody comes by: the requests of these tests are in process."""

    def __init__(self, spec: ListenerSpec) -> None:
        assert isinstance(spec.socket_kind, ShareSocket)

    def close(self) -> None:
        """Nothing waits here."""


@pytest.fixture
def place() -> Iterator[Path]:
    """Beside the broker's socket, on a path that is short enough for another."""
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def sharing(household: Household, place: Path, clock: FakeClock) -> Iterator[Household]:
    """Alice's broker, which can share."""
    feed_named = {feed.name: feed for feed in household.keeper.slot_table.table.feeds}.get
    household.shares = Shares(place, ALICE, clock=clock, feed_named=feed_named)
    household.shares.begin(Ajar)
    yield household
    household.shares.close()


@pytest.fixture
async def owner(sharing: Household) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(sharing, ALICE, OWN) as client:
        yield client


@pytest.fixture
async def container(sharing: Household) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(sharing, ALICE, DEV) as client:
        yield client


async def share(
    owner: httpx.AsyncClient, *feeds: str, name: str = "dev", for_s: float = 28800
) -> httpx.Response:
    return await owner.post(f"/v1/shares/{name}", params={"feed": list(feeds), "for": for_s})


async def test_a_share_is_made_and_listed_and_in_the_status(owner: httpx.AsyncClient, place: Path) -> None:
    made = (await share(owner, "corp")).json()

    folder = place / "shares" / "dev"
    assert made == {
        "name": "dev",
        "feeds": ["corp"],
        "folder": str(folder),
        "socket": str(folder / "broker.sock"),
        "state": "open",
        "ends_at": "2026-01-02T11:04:05Z",
        "left_s": 28800,
        "renewal": RENEWAL,
    }
    assert (await owner.get("/v1/shares")).json() == {"shares": [made]}
    assert (await owner.get("/v1/status")).json()["shares"] == [made]


async def test_a_share_answers_look_ups_for_its_feeds_and_no_others(
    owner: httpx.AsyncClient, container: httpx.AsyncClient
) -> None:
    await share(owner, "corp")

    answers = [
        await line(container, url) for url in (str(CORP.url), str(TOOLS.url), str(LABS.url), LEARNED_URL)
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 404, 404]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/feeds/corp/refresh"),
        ("POST", "/v1/feeds/corp/forget"),
        ("POST", "/v1/feeds/corp/login"),
        ("POST", "/v1/feeds/corp/logout"),
        ("POST", "/v1/reload"),
        ("POST", "/v1/shares/mine?feed=labs&for=60"),
        ("POST", "/v1/shares/dev/end"),
        ("GET", "/v1/shares"),
    ],
)
async def test_nothing_can_be_ordered_by_a_share(
    owner: httpx.AsyncClient, container: httpx.AsyncClient, method: str, path: str
) -> None:
    await share(owner, "corp")

    assert (await container.request(method, path)).status_code == 403


async def test_a_share_tells_of_its_own_feeds_only(
    owner: httpx.AsyncClient, container: httpx.AsyncClient
) -> None:
    await share(owner, "corp")
    await credential(owner, str(LABS.url))
    await credential(container)

    seen = (await container.get("/v1/status")).json()

    assert [feed["name"] for feed in seen["feeds"]] == ["corp"]
    assert [lookup["feed"] for lookup in seen["recent"]] == ["corp"]
    assert seen["shares"] == []
    assert "labs" not in (await container.get("/metrics")).text


async def test_metrics_tell_a_share_of_no_total_and_of_no_feed_that_was_removed(
    sharing: Household, owner: httpx.AsyncClient, container: httpx.AsyncClient, issuer: Issuer
) -> None:
    await share(owner, "corp")
    await credential(owner, str(LABS.url))
    await credential(owner, "https://elsewhere.example/simple/")
    await credential(container)
    sharing.keeper.adopt(FeedTable([CORP], recognise, learn), {"fake": issuer}, RenewalPolicies())

    seen, all_of_it = [(await who.get("/metrics")).text for who in (container, owner)]

    told = [text in seen for text in ('feed="corp"', 'feed="labs"', 'feed=""', "lookup_seconds_count")]
    assert told == [True, False, False, False]
    assert all(text in all_of_it for text in ('feed="labs"', 'feed="",outcome="miss"} 1.0', "_count 3.0"))


async def test_an_explanation_in_a_share_asks_no_feed_and_names_no_other(
    sharing: Household, owner: httpx.AsyncClient, container: httpx.AsyncClient
) -> None:
    await share(owner, "corp")
    await credential(container)
    await settle()
    heard = len(sharing.gatekeeper.heard)

    told = await container.post("/v1/explain", params={"url": str(CORP.url)})

    assert '"answer"' in told.text
    assert "the feed takes it" in told.text
    assert "tools" not in told.text
    assert len(sharing.gatekeeper.heard) == heard


async def test_an_ended_share_names_the_command_that_renews_it(
    owner: httpx.AsyncClient, container: httpx.AsyncClient, clock: FakeClock
) -> None:
    await share(owner, "corp")
    await clock.advance(28800)

    refused, others = await credential(container), await credential(container, str(LABS.url))

    assert (refused.status_code, others.status_code) == (403, 404)
    assert (refused.json()["type"], refused.json()["hint"]) == ("not-allowed", RENEWAL)
    assert (await owner.get("/v1/shares")).json()["shares"][0]["state"] == "ended"


async def test_a_renewal_counts_at_once_on_a_connection_that_is_open(
    owner: httpx.AsyncClient, container: httpx.AsyncClient, clock: FakeClock, place: Path
) -> None:
    folder = place / "shares" / "dev"
    await share(owner, "corp")
    before = folder.stat().st_ino, (folder / "broker.sock").stat().st_ino
    await clock.advance(28800)
    await share(owner, "labs")

    answers = [await credential(container, str(feed.url)) for feed in (LABS, CORP)]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert (folder.stat().st_ino, (folder / "broker.sock").stat().st_ino) == before


async def test_the_end_counts_at_once_and_the_folder_stays(
    owner: httpx.AsyncClient, container: httpx.AsyncClient, place: Path
) -> None:
    await share(owner, "corp")
    folder = (place / "shares" / "dev").stat().st_ino

    left = await owner.post("/v1/shares/dev/end")

    refused = await credential(container)
    assert [share["state"] for share in left.json()["shares"]] == ["ended"]
    assert (refused.status_code, refused.json()["hint"]) == (403, RENEWAL)
    await share(owner, "corp")
    assert (place / "shares" / "dev").stat().st_ino == folder


async def test_there_is_no_end_of_what_is_not_shared(owner: httpx.AsyncClient) -> None:
    refused = await owner.post("/v1/shares/dev/end")

    assert refused.status_code == 400
    assert refused.json()["hint"] == "brokerctl share --list"


@pytest.mark.parametrize(
    ("uid", "words"),
    [(BOB, "you are uid 1002"), (UNMAPPED, "has no number in the broker's user namespace (65534)")],
)
async def test_another_user_is_told_whom_the_share_is_for(
    sharing: Household, owner: httpx.AsyncClient, uid: int, words: str
) -> None:
    await share(owner, "corp")
    async with client_of(sharing, uid, DEV) as other:
        refused = await line(other)

    assert refused.status_code == 403
    assert words in refused.text
    assert refused.text.endswith("; run: docker run --user 1001 IMAGE\n")


@pytest.mark.parametrize(
    ("feeds", "name", "for_s", "status"),
    [
        (["no-such"], "dev", 60, 404),
        (["corp"], "a%2Fb", 60, 404),
        (["corp"], "-dev", 60, 400),
        (["corp"], "dev", 1e9, 400),
        ([], "dev", 60, 400),
    ],
)
async def test_what_cannot_be_shared_is_said(
    owner: httpx.AsyncClient, feeds: list[str], name: str, for_s: float, status: int
) -> None:
    assert (await share(owner, *feeds, name=name, for_s=for_s)).status_code == status


async def test_a_feed_that_was_learned_has_to_be_configured_first(owner: httpx.AsyncClient) -> None:
    await credential(owner, LEARNED_URL)

    refused = await share(owner, "learned")

    assert (refused.status_code, refused.json()["hint"]) == (404, "brokerctl add URL --name NAME")


async def test_a_feed_that_publishes_is_not_shared(
    household: Household, place: Path, clock: FakeClock
) -> None:
    uploads = replace(CORP, name="uploads", scope=PUBLISH)
    household.shares = Shares(place, ALICE, clock=clock, feed_named={"uploads": uploads}.get)
    household.shares.begin(Ajar)
    async with client_of(household, ALICE, OWN) as owner:
        assert (await share(owner, "uploads")).status_code == 400


async def test_the_system_broker_makes_no_shares(household: Household) -> None:
    household.accounts.users = {0: "root"}
    async with client_of(household, 0, SYSTEM) as root:
        refused = await share(root, "corp")

    assert refused.status_code == 400
    assert "`allow`" in refused.json()["detail"]


async def test_a_place_that_cannot_have_a_socket_is_said_with_its_repair(
    owner: httpx.AsyncClient, place: Path
) -> None:
    (place / "shares").mkdir(mode=0o755)

    refused = await share(owner, "corp")

    assert refused.status_code == 503
    assert refused.json()["hint"] == f"chmod 700 {place}/shares"
