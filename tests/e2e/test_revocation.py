"""Tokens that their server ends early: at most one failed run each, and nobody types anything."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from broker.core.verdict import RETRY_S
from tests.e2e.household import AZURE_FEED, PACKAGE, PLAIN_FEED, TENANT, Household, feed
from tests.e2e.patience import until
from tests.e2e.wire import Events
from tests.fakes.entra import Application
from tests.fakes.organisation import Feed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.e2e.brokerd import Brokerd
    from tests.fakes.clients import Outcome

ROUNDS = 20
CLIENTS = 4
OVER_WITHIN_S = 5.0
"""After the try: a sign-in by az and the exchange, beside the load."""
CLIENT = "66666666-2222-3333-4444-555555555555"
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'

REJECTED_AT_ACME = r'token_broker_verdicts_total\{feed="(?:corp|tools)",verdict="rejected"\} ([0-9.]+)'

log = logging.getLogger("revocations")


def install(house: Household, target: Path) -> bool:
    """One real `uv pip install` of a package of the feed; True when it succeeded."""
    index = AZURE_FEED.replace("https://", "https://VssSessionToken@")
    options = ("--no-cache", "--reinstall", "--target", target, "--index-url", index)
    return house.uv_pip("install", *options, PACKAGE.name).exit_code == 0


def wait_until_tried(broker: Brokerd, verdict: str) -> None:
    """Wait until the feed's last word is this one."""
    until(lambda: broker.wire.status()["feeds"][0]["verdict"] == verdict, f"verdict {verdict}")


@dataclass
class Load:
    """What parallel clients were told meanwhile: how many look-ups, and those that got no answer."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)


@contextmanager
def clients_asking(house: Household, urls: Sequence[str]) -> Iterator[Load]:
    """CLIENTS run the real shim, each for one URL after the other, until left."""
    load, over = Load(), threading.Event()

    def ask_again_and_again(first: int) -> None:
        for number in itertools.count(first):
            if over.is_set():
                return
            told = house.keyring("--mode", "creds", "get", urls[number % len(urls)])
            if told.exit_code == 0:
                load.answered[urls[number % len(urls)]] += 1
            else:
                load.failed.append(told)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ask_again_and_again, number) for number in range(CLIENTS)]
        try:
            yield load
        finally:
            over.set()
        for client in clients:
            client.result()


def tries_at(house: Household, *urls: str) -> int:
    """How often a token was shown at the feeds' own addresses, which no client asks for."""
    paths = {urlsplit(url).path for url in urls}
    return sum(visit.password is not None and visit.path in paths for visit in house.acme.visits)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["session", "entra"])
def test_each_of_twenty_revocations_under_load_costs_at_most_one_run(
    house: Household, tmp_path: Path, kind: str
) -> None:
    """The token is tried each 15 s whatever the load, so that a run made then succeeds without a word."""
    sibling = AZURE_FEED.replace("corp", "tools")
    other = AZURE_FEED.replace("acme", "other")
    house.acme.feeds.append(Feed("tools", None, "acme", [PACKAGE]))
    house.cloud.organisation("other", tenant=TENANT, feeds={"corp": [PACKAGE]})
    names = {"corp": AZURE_FEED, "tools": sibling, "other": other}
    settings = f'token = "{kind}"'
    house.configure("".join(feed(name, url, settings) for name, url in names.items()) + house.plain_feed())
    failed, took_s = [], []
    with house.brokerd() as broker, clients_asking(house, [*names.values(), PLAIN_FEED]) as load:
        begun = time.monotonic()
        assert install(house, tmp_path / "first")
        for number in range(ROUNDS):
            house.acme.revoke_all()
            revoked = time.monotonic()
            runs = [install(house, tmp_path / f"{number}-at-once")]
            until(lambda: holds_a_good_token(broker, house), "good token", RETRY_S + OVER_WITHIN_S)
            took_s.append(time.monotonic() - revoked)
            runs += [install(house, tmp_path / f"{number}-{run}") for run in range(2)]
            failed.append(runs.count(False))
            assert runs[1:] == [True, True], broker.log
        lasted_s = time.monotonic() - begun
        fetches = broker.wire.feed("corp")["fetches"]
        metrics = broker.wire.get("/metrics", accept="*/*").text

    look_ups = f"{load.answered.total() / lasted_s:.0f} look-ups a second"
    log.info("failed runs %s, a good token after %.1f s at most, %s", failed, max(took_s), look_ups)
    assert max(failed) <= 1
    assert load.failed == []
    assert fetches == 1 + ROUNDS
    assert sum(int(float(number)) for number in re.findall(REJECTED_AT_ACME, metrics)) >= ROUNDS
    # one each 15 s, and each new token at both feeds that have it
    assert tries_at(house, AZURE_FEED, sibling) <= lasted_s / RETRY_S + 1 + 2 * fetches


def holds_a_good_token(broker: Brokerd, house: Household) -> bool:
    return house.acme.identify(broker.wire.look_up(AZURE_FEED).password) is not None


@pytest.mark.parametrize("kind", ["session", pytest.param("entra", marks=pytest.mark.long)])
def test_a_claims_challenge_is_answered_for_an_application_without_a_person(
    house: Household, kind: str
) -> None:
    secret = house.keep_secret("app", "the application's s3cret")
    house.cloud.entra.register(Application(CLIENT, TENANT, secret="the application's s3cret"))
    settings = f'auth = ["client-secret"]\nclient_id = "{CLIENT}"\nsecret = "{secret}"\ntoken = "{kind}"'
    house.configure(feed("corp", AZURE_FEED, settings))
    with house.forked_brokerd() as broker:
        first = broker.wire.look_up(AZURE_FEED).password
        wait_until_tried(broker, "accepted")
        house.acme.want_claims(CLAIMS)
        told = broker.wire.post("/v1/feeds/corp/verify")
        second = broker.wire.look_up(AZURE_FEED).password

    assert told.status == 200, told.text
    assert house.acme.identify(first) is None
    assert house.acme.identify(second) is not None
    assert [request.claims is None for request in house.cloud.entra.requests] == [True, False]


def test_three_hundred_look_ups_make_at_most_two_requests_to_the_feed(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    with house.forked_brokerd() as broker:
        broker.wire.look_up(AZURE_FEED)
        wait_until_tried(broker, "accepted")
        before = sum(visit.password is not None for visit in house.acme.visits)
        for _ in range(300):
            assert broker.wire.look_up(AZURE_FEED).status == 200
        tries = sum(visit.password is not None for visit in house.acme.visits) - before

    assert tries <= 2


def test_a_look_up_shows_the_verdict_that_came_after_it(house: Household) -> None:
    with house.forked_brokerd() as broker:  # without a configuration, so that nothing is fetched before it
        broker.wire.look_up(AZURE_FEED)
        wait_until_tried(broker, "accepted")

        assert broker.wire.status()["recent"][0]["verdict"] == "accepted"


def test_events_metrics_and_the_last_look_ups_tell_what_the_feed_said(house: Household) -> None:
    with house.forked_brokerd() as broker:  # without a configuration, so that nothing is fetched before it
        name = broker.wire.look_up(AZURE_FEED).json["feed"]
        wait_until_tried(broker, "accepted")
        house.acme.revoke_all()
        broker.wire.look_up(AZURE_FEED)
        with Events(broker.wire) as events:
            broker.wire.post(f"/v1/feeds/{name}/verify")
            told = [next(iter(events))[1]["verdict"]]
            told += [next(iter(events))[1]["verdict"]]
        wait_until_tried(broker, "accepted")
        metrics = broker.wire.get("/metrics", accept="*/*").text
        recent = broker.wire.status()["recent"]

    assert "rejected" in told
    assert f'token_broker_verdicts_total{{feed="{name}",verdict="rejected"}} 1.0' in metrics
    assert f'token_broker_verdicts_total{{feed="{name}",verdict="accepted"}} 2.0' in metrics
    assert [look_up["verdict"] for look_up in recent] == ["accepted", "rejected"]
