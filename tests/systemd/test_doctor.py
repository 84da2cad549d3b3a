"""`brokerctl doctor` and `logs` where a real service manager keeps the broker; one set-up for all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.systemd.account import SERVICE_UNIT, SOCKET_UNIT, UNITS

if TYPE_CHECKING:
    from tests.systemd.account import Account


def doctor(account: Account, *words: str) -> dict[str, Any]:
    printed = account.brokerctl("doctor", "--json", *words, environment=account.path, check=False).stdout
    found: dict[str, Any] = json.loads(printed)
    return found


def wrong(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["check"], each["repair"]) for each in found["findings"] if each["level"] != "fine"]


def test_after_the_set_up_nothing_is_wrong_but_lingering(settled: Account) -> None:
    found = doctor(settled)

    assert wrong(found) == [("linger", "loginctl enable-linger")]


def test_service_that_was_given_up_is_started_again_by_the_fix(settled: Account) -> None:
    drop_in = settled.write(
        f"{UNITS}/{SERVICE_UNIT}.d/z.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n"
    )
    settled.systemctl("daemon-reload")
    settled.look_up(check=False)
    settled.run("rm", drop_in)
    settled.systemctl("daemon-reload")

    before, after = wrong(doctor(settled)), wrong(doctor(settled, "--fix"))

    assert ("service", "brokerctl start") in before
    assert after == [("linger", "loginctl enable-linger")]


@pytest.mark.long
def test_socket_that_was_disabled_is_enabled_by_the_fix(settled: Account) -> None:
    settled.systemctl("disable", "--now", SOCKET_UNIT)

    before, after = wrong(doctor(settled)), wrong(doctor(settled, "--fix"))

    assert ("service", f"systemctl --user enable --now {SOCKET_UNIT}") in before
    assert after == [("linger", "loginctl enable-linger")]


def test_unit_that_somebody_edited_is_found(settled: Account) -> None:
    unit = settled.home / UNITS / SERVICE_UNIT
    unit.write_text(unit.read_text().replace("apps/token-broker", "apps/last-year"))

    assert ("units", "brokerctl setup") in wrong(doctor(settled))


def test_logs_are_the_journals_with_priorities(settled: Account) -> None:
    settled.look_up()
    settled.systemctl("stop", SERVICE_UNIT)

    shown = settled.brokerctl("logs", "-n", "5").stdout
    renewed = settled.machine.run(
        "root", "journalctl", "-o", "json", "-n", "1", "-t", "token-broker", "-g", "renewed realm=command"
    )

    assert "broker.daemon: ended reason=signal SIGTERM" in shown
    fields = json.loads(renewed.stdout)
    assert (fields["PRIORITY"], fields["_SYSTEMD_USER_UNIT"]) == ("6", SERVICE_UNIT)
    assert fields["TOKEN_BROKER_REALM"].startswith("command:")
