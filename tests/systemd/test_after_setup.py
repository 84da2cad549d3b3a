"""`brokerctl setup` under a real systemd, as an ordinary user types it, what it leaves, and what `doctor` and
`logs` say of that; one set-up for all.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.systemd.account import SERVICE_UNIT, SOCKET_UNIT, TOKEN, UNITS
from tests.systemd.installation import UV
from tests.systemd.set_up import HOME_FEED, PACKAGE

if TYPE_CHECKING:
    from tests.systemd.account import Account
    from tests.systemd.set_up import SetUp

WANTED = f"{UNITS}/sockets.target.wants/{SOCKET_UNIT}"

EXPOSURE_MAX = 1.9
"""Two lines that would make it 1.8 do nothing in a user's unit: `test_lines.py`."""


def test_first_install_with_uv_starts_the_daemon_and_succeeds(set_up: SetUp, settled: Account) -> None:
    before = settled.show("ActiveState")
    settled.run(UV, "venv", "--quiet", "--python", settled.bin / "python", "project")

    index = set_up.index.replace("://", "://user@")
    settled.run(
        *(UV, "pip", "install", "--python", "project", "--index-url", index, PACKAGE),
        environment=settled.path,
    )

    assert before == "inactive"
    assert settled.show("ActiveState") == "active"


def test_every_file_that_setup_makes_was_shown_before_it_was_made(set_up: SetUp, settled: Account) -> None:
    assert set_up.after_the_plan == set_up.before
    made = set_up.after - set_up.before
    assert f"{UNITS}/{SOCKET_UNIT}" in made
    assert [path for path in sorted(made - {WANTED}) if f"~/{path}" not in set_up.planned] == []
    assert f"would enable {SOCKET_UNIT}" in set_up.planned, "which makes the link of sockets.target"
    assert "would" not in settled.set_up("--dry-run").stdout
    assert "off: the service stops when you log out" in " ".join(set_up.told.split())


def test_sandbox_shows_nothing_of_the_home_but_what_is_needed(settled: Account) -> None:
    seen = settled.look_up(HOME_FEED).stdout.split()

    assert seen == ["ssh=hidden", "azure=open", "config=closed", "tmp=own", "socket=seen", "nnp=1"]
    assert not (settled.home / "left-behind").exists()


def test_sandbox_is_kept_with_the_exposure_that_it_reaches(set_up: SetUp, settled: Account) -> None:
    told = " ".join(set_up.told.split())

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
    settled.machine.run("root", "journalctl", "--sync")

    shown = settled.brokerctl("logs", "-n", "5").stdout
    renewed = settled.machine.run(
        "root", "journalctl", "-o", "json", "-n", "1", "-t", "token-broker", "-g", "renewed realm=command"
    )

    assert "broker.daemon: ended reason=signal SIGTERM" in shown
    fields = json.loads(renewed.stdout)
    assert (fields["PRIORITY"], fields["_SYSTEMD_USER_UNIT"]) == ("6", SERVICE_UNIT)
    assert fields["TOKEN_BROKER_REALM"].startswith("command:")
