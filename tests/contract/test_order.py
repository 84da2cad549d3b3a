"""Who is asked after whom: the user's broker, the system's, the next `keyring` (CONTRACT section 3).

A feed that the user's broker knows by its address alone, without any sign-in for it, is a 404 as is no feed
(tests/api/test_routes.py): the shims go by that.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.scripted_broker import ScriptedBroker, Step, answers, credential
from tests.contract.shims import Shim
from tests.contract.test_passing_on import other_keyring

URL = "https://feed.example/simple/"
NO_FEED = answers(404, "no feed\n")
REFUSED = answers(403, "labs: not for you; run: groups\n")
ANSWERED = credential("Fred", "s3cret")


@pytest.mark.parametrize("arguments", [("get", URL, "Fred"), ("--mode=creds", "--output=json", "get", URL)])
def test_next_keyring_is_asked_when_both_brokers_know_no_feed(
    shim: Shim,
    broker: ScriptedBroker,
    system_broker: ScriptedBroker,
    place: Path,
    arguments: tuple[str, ...],
) -> None:
    broker.will(NO_FEED)
    system_broker.will(NO_FEED)
    other_keyring(place / "next")

    ended = shim(*arguments, PATH=f"{place}/next")

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.decode() == f"next:1:{' '.join(arguments)}\n"
    assert [each.requests[0].query["url"] for each in (broker, system_broker)] == [URL, URL]
    assert (broker.connections, system_broker.connections) == (1, 1)


def test_system_broker_is_asked_what_the_users_was_asked(
    shim: Shim, broker: ScriptedBroker, system_broker: ScriptedBroker
) -> None:
    broker.will(NO_FEED)
    system_broker.will(ANSWERED)

    shim("get", "https://u@feed.example/a?b=c", "Fred")

    first, second = broker.requests[0].query, system_broker.requests[0].query
    assert {**first, "wait": ""} == {**second, "wait": ""}
    assert float(second["wait"]) <= float(first["wait"]), "one budget for both"


@pytest.mark.parametrize("users", [ANSWERED, REFUSED], ids=["answered", "refused"])
def test_users_broker_that_knows_the_feed_is_the_only_one_asked(
    shim: Shim, broker: ScriptedBroker, system_broker: ScriptedBroker, place: Path, users: Step
) -> None:
    broker.will(users)
    system_broker.will(ANSWERED)
    other_keyring(place / "next")

    ended = shim("get", URL, "Fred", PATH=f"{place}/next")

    assert ended.stdout == (b"s3cret\n" if users is ANSWERED else b"")
    assert system_broker.connections == 0


@pytest.mark.parametrize("systems", [ANSWERED, REFUSED], ids=["answered", "refused"])
def test_system_broker_that_knows_the_feed_is_the_last_one_asked(
    shim: Shim, broker: ScriptedBroker, system_broker: ScriptedBroker, place: Path, systems: Step
) -> None:
    broker.will(NO_FEED)
    system_broker.will(systems)
    other_keyring(place / "next")

    ended = shim("get", URL, "Fred", PATH=f"{place}/next")

    assert ended.stdout == (b"s3cret\n" if systems is ANSWERED else b"")


def test_next_keyring_is_asked_where_only_a_system_broker_runs(
    shim: Shim, system_broker: ScriptedBroker, place: Path
) -> None:
    system_broker.will(NO_FEED)
    other_keyring(place / "next")

    ended = shim("get", URL, "Fred", PATH=f"{place}/next")

    assert ended.stdout.startswith(b"next:1:")
    assert ended.stderr == "", "a machine with a system broker needs no setup"
