"""Signals: SIGHUP reads the configuration anew, SIGUSR1 forgets, SIGTERM finishes what is under way."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.daemon_nursery import DRAIN_S
from tests.e2e.household import AZURE_FEED, PLAIN_FEED, Household, feed
from tests.e2e.patience import until
from tests.e2e.wire import Events
from tests.fakes.az import still_alive
from tests.fakes.az_program import Conduct


def test_sighup_takes_up_a_new_feed_and_keeps_the_tokens_of_the_others(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED))
    with house.forked_brokerd() as broker:
        held = broker.wire.look_up(AZURE_FEED).password
        house.configure(feed("corp", AZURE_FEED) + house.plain_feed())

        broker.signal(signal.SIGHUP)

        until(lambda: broker.wire.look_up(PLAIN_FEED).status == 200, "answer for the new feed")
        assert broker.wire.look_up(AZURE_FEED).password == held
    assert len(house.az.calls) == 1


@pytest.mark.long
def test_sighup_drops_the_token_of_a_feed_that_is_gone(house: Household) -> None:
    house.configure(f"auto = false\n{feed('corp', AZURE_FEED)}")
    with house.brokerd() as broker:
        assert broker.wire.look_up(AZURE_FEED).status == 200
        house.configure("auto = false\n")

        broker.signal(signal.SIGHUP)

        until(lambda: broker.wire.status()["feeds"] == [], "status without feeds")
        assert broker.wire.look_up(AZURE_FEED).status == 404


def test_sigusr1_forgets_every_token(house: Household) -> None:
    house.configure(feed("corp", AZURE_FEED) + house.plain_feed())
    with house.forked_brokerd() as broker:
        held = broker.wire.look_up(AZURE_FEED).password
        assert broker.wire.look_up(PLAIN_FEED).status == 200

        broker.signal(signal.SIGUSR1)

        until(lambda: {one["state"] for one in broker.wire.status()["feeds"]} == {"empty"}, "empty broker")
        assert broker.wire.look_up(AZURE_FEED).password != held
    assert len(house.az.calls) == 2


def test_sigterm_lets_a_look_up_under_way_have_its_answer(house: Household) -> None:
    with house.brokerd() as broker, ThreadPoolExecutor(1) as pool, Events(broker.wire) as events:
        with house.az.held():
            asking = pool.submit(house.keyring, "get", AZURE_FEED, "dev")
            house.az.wait_for_calls(1)

            broker.signal(signal.SIGTERM)

            assert list(events) == []  # its end says that the daemon has begun to end
        assert asking.result().exit_code == 0
        assert broker.wait() == 0
    assert not house.socket.exists()
    assert "ended reason=signal SIGTERM" in broker.log


def test_sigterm_takes_along_an_az_that_nobody_waits_for(house: Household) -> None:
    house.az.behave(Conduct("hang-with-grandchildren"))
    house.configure(feed("corp", AZURE_FEED))
    with house.forked_brokerd() as broker:
        [call] = house.az.wait_for_calls(1)
        [grandchild] = house.az.wait_for_grandchildren(1)

        assert broker.end() == 0

    assert still_alive((call.pid, grandchild)) == []


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)])
def test_sigterm_tells_whom_it_can_wait_for_no_longer(house: Household, *, whole: bool) -> None:
    """The `whole` one waits as long as the real program does, the other one half a second."""
    house.az.behave(Conduct("hang"))
    house.environment |= {} if whole else {DRAIN_S: "0.5"}
    with house.brokerd() if whole else house.forked_brokerd() as broker, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(house.keyring, "get", AZURE_FEED, "dev")
        house.az.wait_for_calls(1)

        assert broker.end() == 0

        told = "token-broker: acme: the fetch for azure:acme was given up; run: brokerctl status\n"
        assert (asking.result().exit_code, asking.result().stderr) == (1, told)
    assert "Traceback" not in broker.log
