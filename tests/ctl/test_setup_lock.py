"""One brokerctl at a time sets up or tears down a home."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from broker.ctl.setup import setup_lock
from broker.host.clock import SystemClock
from tests.ctl.homes import LINK, tree
from tests.typed_line import type_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

HOLDS = """
import fcntl, os, sys
held = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which holds the lock."""
    command = [sys.executable, "-c", HOLDS, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("verb", ["setup", "teardown"])
def test_second_one_ends_after_a_while_and_names_the_process_that_is_at_it(
    brokerctl: Brokerctl,
    home: Path,
    other: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    monkeypatch.setattr(setup_lock, "WAIT_S", 0.0)

    ended = brokerctl(verb)

    assert ended.exit_code == 1
    assert f"process {other.pid} is setting up or tearing down {home} at this moment" in ended.stderr
    hint = ended.stderr.rstrip().rpartition("; run: ")[2]
    assert hint == f"ps -fp {other.pid}"
    assert str(other.pid) in type_line(hint).stdout
    assert tree(home) == {}


def test_second_one_goes_on_when_the_first_one_has_ended(
    brokerctl: Brokerctl, home: Path, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_the_other(*_: object) -> None:
        other.kill()
        other.wait()

    monkeypatch.setattr(SystemClock, "pause", end_the_other)

    ended = brokerctl("setup")

    assert ended.exit_code == 0
    assert (home / LINK).is_symlink()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EBADF, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_it_is_said_and_set_up_goes_on(
    brokerctl: Brokerctl, home: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", _failing(number))

    ended = brokerctl("setup")

    assert ended.exit_code == 0
    assert f"{home} cannot be locked ({errno.errorcode[number]}" in ended.stderr
    assert (home / LINK).is_symlink()


@pytest.mark.usefixtures("other")
def test_another_users_lock_stops_nothing(
    brokerctl: Brokerctl, home: Path, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_lock, "_is_trusted", lambda _: False)

    ended = brokerctl("setup")

    assert f"process {other.pid} of another user has locked it" in ended.stderr
    assert (ended.exit_code, (home / LINK).is_symlink()) == (0, True)


def test_dry_run_waits_for_nothing(brokerctl: Brokerctl, home: Path, other: subprocess.Popen[str]) -> None:
    ended = brokerctl("setup", "--dry-run")

    assert (ended.exit_code, other.poll(), tree(home)) == (0, None, {})


def test_lock_leaves_no_file(home: Path) -> None:
    with setup_lock.alone(home):
        inside = tree(home)

    assert inside == tree(home) == {}


def _failing(number: int) -> Callable[..., None]:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return flock
