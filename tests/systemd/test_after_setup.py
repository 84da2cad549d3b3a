"""What `brokerctl setup` has left under a real systemd; one set-up for all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.systemd.account import SERVICE_UNIT, SOCKET_UNIT, TOKEN

if TYPE_CHECKING:
    from tests.systemd.account import Account
    from tests.systemd.machine import Done

EXPOSURE_MAX = 1.9
"""Two lines that would make it 1.8 do nothing in a user's unit: `test_lines.py`."""


def test_sandbox_is_kept_with_the_exposure_that_it_reaches(told_by_set_up: Done, settled: Account) -> None:
    told = " ".join(told_by_set_up.stdout.split())

    reached = re.search(r"✓ sandbox probe answered in [0-9.]+ s; exposure ([0-9.]+)", told)

    assert reached is not None, told
    assert float(reached[1]) <= EXPOSURE_MAX
    assert "your sign-ins were tried in it" in told
    assert "what the service could reach, as systemd rates it: less is better" in told
    assert settled.look_up().stdout == f"{TOKEN}\n"


def test_doing_it_again_restarts_nothing(settled: Account) -> None:
    settled.look_up()
    before = settled.pid()

    ended = settled.set_up()

    assert "probe" not in ended.stdout
    assert settled.pid() == before


def test_only_the_socket_starts_with_the_session(settled: Account) -> None:
    enabled = [settled.show("UnitFileState", unit) for unit in (SOCKET_UNIT, SERVICE_UNIT)]

    assert enabled == ["enabled", "static"]


@pytest.mark.long
def test_socket_that_was_removed_is_made_anew_by_a_restart(settled: Account) -> None:
    settled.brokerctl("start")
    (settled.runtime / "token-broker" / "broker.sock").unlink()

    settled.brokerctl("restart")

    assert settled.look_up().stdout == f"{TOKEN}\n"


def test_start_stop_and_restart_go_by_the_service_manager(settled: Account) -> None:
    started, first = settled.brokerctl("start").stdout, settled.pid()
    settled.brokerctl("restart")
    second = settled.pid()
    settled.brokerctl("stop")

    assert started == f"token-broker is running (process {first})\n"
    assert second not in {0, first}
    assert settled.show("ActiveState", SOCKET_UNIT) == "inactive"
