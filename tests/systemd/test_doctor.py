"""`brokerctl doctor` and `logs` where a real service manager keeps the broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.systemd.account import CONFIG, FEED_CONFIG, SERVICE_UNIT, SOCKET_UNIT, UNITS

if TYPE_CHECKING:
    from tests.systemd.account import Account


def path_of(account: Account) -> dict[str, str]:
    return {"PATH": f"{account.seen_home}/.local/bin:{account.bin}:/usr/bin:/bin"}


@pytest.fixture
def set_up(alice: Account) -> Account:
    """Alice, whose broker is set up."""
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    alice.brokerctl("setup", environment=path_of(alice))
    return alice


def doctor(account: Account, *words: str) -> dict[str, Any]:
    printed = account.brokerctl("doctor", "--json", *words, environment=path_of(account), check=False).stdout
    found: dict[str, Any] = json.loads(printed)
    return found


def wrong(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["check"], each["repair"]) for each in found["findings"] if each["level"] != "fine"]


def test_after_the_set_up_nothing_is_wrong_but_lingering(set_up: Account) -> None:
    found = doctor(set_up)

    assert wrong(found) == [("linger", "loginctl enable-linger")]


def test_service_that_was_given_up_is_started_again_by_the_fix(set_up: Account) -> None:
    drop_in = set_up.write(
        f"{UNITS}/{SERVICE_UNIT}.d/z.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n"
    )
    set_up.systemctl("daemon-reload")
    set_up.look_up(check=False)
    set_up.run("rm", drop_in)
    set_up.systemctl("daemon-reload")

    before, after = wrong(doctor(set_up)), wrong(doctor(set_up, "--fix"))

    assert ("service", "brokerctl start") in before
    assert after == [("linger", "loginctl enable-linger")]


def test_socket_that_was_disabled_is_enabled_by_the_fix(set_up: Account) -> None:
    set_up.systemctl("disable", "--now", SOCKET_UNIT)

    before, after = wrong(doctor(set_up)), wrong(doctor(set_up, "--fix"))

    assert ("service", f"systemctl --user enable --now {SOCKET_UNIT}") in before
    assert after == [("linger", "loginctl enable-linger")]


def test_unit_that_somebody_edited_is_found(set_up: Account) -> None:
    unit = set_up.home / UNITS / SERVICE_UNIT
    unit.write_text(unit.read_text().replace("apps/token-broker", "apps/last-year"))

    assert ("units", "brokerctl setup") in wrong(doctor(set_up))


def test_logs_are_the_journals_with_priorities(set_up: Account) -> None:
    set_up.look_up()
    set_up.systemctl("stop", SERVICE_UNIT)

    shown = set_up.brokerctl("logs", "-n", "5").stdout
    renewed = set_up.machine.run(
        "root", "journalctl", "-o", "json", "-n", "1", "-t", "token-broker", "-g", "renewed realm=command"
    )

    assert "broker.daemon: ended reason=signal SIGTERM" in shown
    fields = json.loads(renewed.stdout)
    assert (fields["PRIORITY"], fields["_SYSTEMD_USER_UNIT"]) == ("6", SERVICE_UNIT)
    assert fields["TOKEN_BROKER_REALM"].startswith("command:")
