"""A secret that was missing arrives: its feed is fresh within seconds, and nobody asks or types anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.core.refresh import AWAITED_S
from tests.e2e.household import AZURE_FEED, PLAIN_FEED, PLAIN_PASSWORD, TENANT, USER, Household, feed
from tests.e2e.patience import until
from tests.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.e2e

NOTICED_WITHIN_S = 10 * AWAITED_S
"""Two of these waits may follow on one another, on a machine with other work; the usual round takes 30 s."""


def into_file(house: Household) -> None:
    house.keep_secret("pw", PLAIN_PASSWORD)


def into_env_toml(house: Household) -> None:
    file = house.config.with_name("env.toml")
    file.touch(mode=0o600)
    file.write_text(f'[env]\nPW = "{PLAIN_PASSWORD}"\n')


def into_netrc(house: Household) -> None:
    file = house.home / ".netrc"
    file.touch(mode=0o600)
    file.write_text(f"machine packages.example login ci password {PLAIN_PASSWORD}\n")


PLACES: dict[str, Callable[[Household], None]] = {
    "file:~/pw": into_file,
    "env:PW": into_env_toml,
    "netrc": into_netrc,
}


@pytest.mark.parametrize("place", sampled(list(PLACES), ["file:~/pw"]))
def test_a_secret_that_arrives_is_noticed_within_seconds(house: Household, place: str) -> None:
    username = "" if place == "netrc" else 'username = "ci"\n'
    house.configure(feed("plain", PLAIN_FEED, f'provider = "basic"\n{username}secret = "{place}"'))
    with house.forked_brokerd() as broker:
        assert broker.wire.look_up(PLAIN_FEED).status == 401
        PLACES[place](house)
        until(lambda: broker.wire.feed("plain")["state"] == "fresh", "fresh feed", NOTICED_WITHIN_S)


def test_a_sign_in_that_was_awaited_is_noticed_within_seconds(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    house.az.sign_out()
    with house.forked_brokerd() as broker:
        assert broker.wire.look_up(AZURE_FEED).status == 401
        house.az.sign_in(USER, [TENANT])
        until(lambda: broker.wire.feed("corp")["state"] == "fresh", "fresh feed", NOTICED_WITHIN_S)


def test_a_learned_feed_is_there_again_after_a_restart_and_its_first_look_up(house: Household) -> None:
    with house.forked_brokerd() as broker:
        broker.wire.look_up(AZURE_FEED)
        before = broker.wire.status()["feeds"]
    with house.brokerd() as broker:
        forgotten = broker.wire.status()["feeds"]
        broker.wire.look_up(AZURE_FEED)
        after = broker.wire.status()["feeds"]

    assert forgotten == []
    assert [(one["name"], one["urls"], one["state"]) for one in before] == [
        (one["name"], one["urls"], one["state"]) for one in after
    ]
