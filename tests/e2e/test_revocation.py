"""Tokens that their server ends early: at most one failed run each, and nobody types anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from broker.core.verdict import RETRY_S
from tests.e2e.household import AZURE_FEED, PACKAGE, TENANT, Household, feed
from tests.e2e.patience import until
from tests.fakes.entra import Application

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.brokerd import Brokerd

ROUNDS = 10
CLIENT = "66666666-2222-3333-4444-555555555555"
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'


def install(house: Household, target: Path) -> bool:
    """One real `uv pip install` of a package of the feed; True when it succeeded."""
    index = AZURE_FEED.replace("https://", "https://VssSessionToken@")
    options = ("--no-cache", "--reinstall", "--target", target, "--index-url", index)
    return house.uv_pip("install", *options, PACKAGE.name).exit_code == 0


def wait_until_tried(broker: Brokerd, verdict: str) -> None:
    """Wait until the feed's last word is this one."""
    until(lambda: broker.wire.status()["feeds"][0]["verdict"] == verdict, f"verdict {verdict}")


def age_of_verdict_s(broker: Brokerd) -> float:
    said = datetime.fromisoformat(broker.wire.status()["feeds"][0]["verified_at"])
    return (datetime.now(UTC) - said).total_seconds()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["session", "entra"])
def test_each_of_ten_revocations_costs_at_most_one_run(house: Household, tmp_path: Path, kind: str) -> None:
    house.configure(feed("corp", AZURE_FEED, f'token = "{kind}"'))
    failed = []
    with house.brokerd() as broker:
        assert install(house, tmp_path / "first")
        for number in range(ROUNDS):
            wait_until_tried(broker, "accepted")
            until(lambda: age_of_verdict_s(broker) > RETRY_S + 1, "time for another try", RETRY_S + 5)
            house.acme.revoke_all()
            runs = [install(house, tmp_path / f"{number}-{run}") for run in range(3)]
            failed.append(runs.count(False))
            assert runs[1:] == [True, True], broker.log
        metrics = broker.wire.get("/metrics", accept="*/*").text

    assert max(failed) <= 1
    assert f'token_broker_verdicts_total{{feed="corp",verdict="rejected"}} {ROUNDS}.0' in metrics


@pytest.mark.parametrize("kind", ["session", "entra"])
def test_a_claims_challenge_is_answered_for_an_application_without_a_person(
    house: Household, kind: str
) -> None:
    secret = house.keep_secret("app", "the application's s3cret")
    house.cloud.entra.register(Application(CLIENT, TENANT, secret="the application's s3cret"))
    settings = f'auth = ["client-secret"]\nclient_id = "{CLIENT}"\nsecret = "{secret}"\ntoken = "{kind}"'
    house.configure(feed("corp", AZURE_FEED, settings))
    with house.brokerd() as broker:
        first = broker.wire.look_up(AZURE_FEED).json["password"]
        wait_until_tried(broker, "accepted")
        house.acme.want_claims(CLAIMS)
        told = broker.wire.post("/v1/feeds/corp/verify")
        second = broker.wire.look_up(AZURE_FEED).json["password"]

    assert told.status == 200, told.text
    assert house.acme.identify(first) is None
    assert house.acme.identify(second) is not None
    assert [request.claims is None for request in house.cloud.entra.requests] == [True, False]


def test_three_hundred_look_ups_make_at_most_two_requests_to_the_feed(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    with house.brokerd() as broker:
        broker.wire.look_up(AZURE_FEED)
        wait_until_tried(broker, "accepted")
        before = sum(visit.password is not None for visit in house.acme.visits)
        for _ in range(300):
            assert broker.wire.look_up(AZURE_FEED).status == 200
        tries = sum(visit.password is not None for visit in house.acme.visits) - before

    assert tries <= 2


def test_a_look_up_shows_the_verdict_that_came_after_it(house: Household) -> None:
    with house.brokerd() as broker:  # without a configuration, so that nothing is fetched before it
        broker.wire.look_up(AZURE_FEED)
        wait_until_tried(broker, "accepted")

        assert broker.wire.status()["recent"][0]["verdict"] == "accepted"
