"""Membership as the databases have it: how old an answer may be, and what happens when none comes."""

import asyncio
import grp
import os
import pwd
import threading

import pytest

from broker.core.access import Account
from broker.core.failures import Unavailable
from broker.host.accounts import AGE_MAX_S, Accounts, ask_databases
from tests.fake_clock import FakeClock

DEVELOPERS = frozenset({"developers"})


class Databases:
    """Who is in which group now, and how often that was asked."""

    def __init__(self) -> None:
        self.members = {"alice"}
        self.asked: list[int] = []
        self.failure: OSError | None = None

    def __call__(self, uid: int, groups: frozenset[str]) -> Account:
        self.asked.append(uid)
        if self.failure is not None:
            raise self.failure
        return Account(uid, "alice", groups if "alice" in self.members else frozenset())


async def test_an_answer_serves_until_its_age_and_then_the_database_is_asked_again() -> None:
    clock, databases = FakeClock(), Databases()
    accounts = Accounts(clock, databases)

    assert (await accounts.caller(1001, DEVELOPERS)).groups == DEVELOPERS
    databases.members.clear()
    await clock.advance(AGE_MAX_S - 1)
    assert (await accounts.caller(1001, DEVELOPERS)).groups == DEVELOPERS
    await clock.advance(1)

    assert (await accounts.caller(1001, DEVELOPERS)).groups == frozenset()
    assert databases.asked == [1001, 1001]


def test_nobody_keeps_a_group_for_a_minute() -> None:
    assert AGE_MAX_S < 60


async def test_other_groups_are_asked_about_at_once() -> None:
    accounts = Accounts(FakeClock(), Databases())
    await accounts.caller(1001, frozenset())

    assert (await accounts.caller(1001, DEVELOPERS)).groups == DEVELOPERS


async def test_many_at_once_ask_once() -> None:
    databases = Databases()
    accounts = Accounts(FakeClock(), databases)

    await asyncio.gather(*(accounts.caller(1001, DEVELOPERS) for _ in range(50)))

    assert databases.asked == [1001]


async def test_a_database_that_fails_lets_nobody_in() -> None:
    databases = Databases()
    databases.failure = OSError(5, "Input/output error")

    with pytest.raises(Unavailable, match="does not say who uid 1001 is: input/output error"):
        await Accounts(FakeClock(), databases).caller(1001, DEVELOPERS)


async def test_a_database_that_hangs_stops_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.host.accounts.PATIENCE_S", 0.01)
    go = threading.Event()

    def hang(uid: int, groups: frozenset[str]) -> Account:
        if uid == 1001:
            go.wait()
        return Account(uid, "bob", groups)

    accounts = Accounts(FakeClock(), hang)
    try:
        with pytest.raises(Unavailable):
            await accounts.caller(1001, DEVELOPERS)

        assert (await accounts.caller(1002, DEVELOPERS)).user == "bob"
    finally:
        go.set()


def test_the_databases_say_who_we_are_and_which_of_the_named_groups_we_are_in() -> None:
    entry = pwd.getpwuid(os.geteuid())
    own = grp.getgrgid(entry.pw_gid).gr_name

    assert ask_databases(os.geteuid(), frozenset({own, "no-such-group"})) == Account(
        os.geteuid(), entry.pw_name, frozenset({own})
    )


def test_a_uid_without_an_entry_is_in_no_group() -> None:
    assert ask_databases(4_000_000_000, DEVELOPERS) == Account(4_000_000_000)
