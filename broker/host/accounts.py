"""Who a uid is and which groups it is in, as the user and group databases say now.

A process keeps the groups of its login until it ends, so what the kernel reports of them may be a month old.
The databases (files, LDAP, sssd: whatever nsswitch.conf names) are asked instead, in a thread, for they may
hang.
"""

import asyncio
import grp
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass

from broker.core.access import Account
from broker.core.failures import Unavailable
from broker.core.moment import Moment
from broker.host.aside import in_thread
from broker.host.clock import Clock

AGE_MAX_S = 30.0
"""An answer is used this long: a user who leaves a group is refused within 60 s, even by a slow database."""

PATIENCE_S = 10.0
"""A look-up waits this long for a database."""

KNOWN_MAX = 4096
"""Uids remembered; all are forgotten beyond that, and asked for anew."""

AskDatabases = Callable[[int, frozenset[str]], Account]


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Account
    groups: frozenset[str]
    asked: Moment


class Accounts:
    """The databases' answers, each AGE_MAX_S old at most, one question per uid at a time."""

    def __init__(self, clock: Clock, ask: AskDatabases | None = None) -> None:
        self._clock = clock
        self._ask = ask or ask_databases
        self._known: dict[int, _Known] = {}
        self._asking: dict[tuple[int, frozenset[str]], asyncio.Task[Account]] = {}

    async def caller(self, uid: int, groups: frozenset[str]) -> Account:
        """Who this uid is, and which of `groups` it is in. Raises Unavailable when no database answers."""
        now = self._clock.now()
        known = self._known.get(uid)
        if known is not None and known.groups == groups and not known.asked.after(AGE_MAX_S).reached(now):
            return known.caller
        key = uid, groups
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._learn(uid, groups, now))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        done, _ = await asyncio.wait({asking}, timeout=PATIENCE_S)
        if not done:
            raise Unavailable(f"the user database does not say who uid {uid} is", hint=f"id {uid}")
        return asking.result()

    async def _learn(self, uid: int, groups: frozenset[str], asked: Moment) -> Account:
        try:
            caller = await in_thread(lambda: self._ask(uid, groups))
        except OSError as error:
            reason = (error.strerror or "unknown error").lower()
            raise Unavailable(
                f"the user database does not say who uid {uid} is: {reason}", hint=f"id {uid}"
            ) from None
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[uid] = _Known(caller, groups, asked)
        return caller


def ask_databases(uid: int, groups: frozenset[str]) -> Account:
    """The account of `uid`, by getpwuid(3), getgrouplist(3) and getgrnam(3): blocks. No entry means no group.

    Only the groups asked about are looked up by name: to name all those of a person is slow in large
    directories.
    """
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid)
    ids = set(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(uid, entry.pw_name, frozenset(name for name in groups if _gid(name) in ids))


def _gid(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None
