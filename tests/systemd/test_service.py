"""The units under a real systemd, as an ordinary user: what each line is there for happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.patience import PATIENCE_S
from tests.systemd.account import CONFIG, FEED, FEED_CONFIG, SERVICE_UNIT, SOCKET_UNIT, TOKEN, UNITS
from tests.systemd.machine import until

if TYPE_CHECKING:
    from tests.systemd.account import Account


def quicken(served: Account) -> None:
    """Let the watchdog, and the daemon's look at itself, happen sooner than people need it."""
    unit = served.home / UNITS / SERVICE_UNIT
    assert "WatchdogSec=10\n" in unit.read_text()
    unit.write_text(unit.read_text().replace("WatchdogSec=10\n", "WatchdogSec=1\n"))
    served.systemctl("daemon-reload")


def test_first_look_up_starts_the_daemon_and_is_answered(served: Account) -> None:
    before = served.show("ActiveState")

    answer = served.look_up()

    assert before == "inactive"
    assert (answer.stdout, answer.stderr) == (f"{TOKEN}\n", "")
    assert served.show("ActiveState") == "active"


@pytest.mark.long
def test_systemctl_status_says_how_the_feeds_are(served: Account) -> None:
    quicken(served)
    served.look_up()

    until(lambda: "1 of 1 feeds usable" in served.show("StatusText"), "STATUS line")


def test_units_are_without_a_complaint_of_systemd(served: Account) -> None:
    units = [served.seen_home / UNITS / name for name in (SOCKET_UNIT, SERVICE_UNIT)]

    verified = served.run("systemd-analyze", "--user", "verify", *units)

    assert verified.stdout + verified.stderr == ""


def test_killed_daemon_loses_no_look_up(served: Account) -> None:
    served.look_up()
    first = served.pid()

    served.kill("KILL")
    answer = served.look_up()

    assert answer.stdout == f"{TOKEN}\n"
    assert served.pid() not in {0, first}


@pytest.mark.long
def test_killed_daemon_comes_back_before_anybody_asks(served: Account) -> None:
    served.look_up()
    first = served.pid()

    served.kill("KILL")

    until(lambda: served.pid() not in {0, first}, "next daemon")


def test_stopped_process_is_replaced_by_the_watchdog(served: Account) -> None:
    quicken(served)
    served.look_up()
    first = served.pid()

    served.kill("STOP")
    answer = served.look_up()

    assert answer.stdout == f"{TOKEN}\n"
    assert served.pid() not in {0, first}


def test_living_daemon_is_left_alone_by_the_watchdog(served: Account) -> None:
    quicken(served)
    served.look_up()
    pings = {served.show("WatchdogTimestampMonotonic")}

    def seen_pinging() -> bool:
        pings.add(served.show("WatchdogTimestampMonotonic"))
        return len(pings) > 4

    until(seen_pinging, "fourth ping")

    assert served.show("NRestarts") == "0"


def test_reload_reads_the_configuration_and_is_told_of_its_end(served: Account) -> None:
    served.look_up()
    first = served.pid()
    served.write(CONFIG, FEED_CONFIG + FEED_CONFIG.replace("packages", "others"), 0o600)

    served.systemctl("reload", SERVICE_UNIT)

    until(lambda: "of 2 feeds usable" in served.show("StatusText"), "second feed")
    assert served.show("ActiveState") == "active"
    assert served.pid() == first


def test_broken_configuration_is_told_and_does_not_restart_for_ever(served: Account) -> None:
    served.write(CONFIG, "[[feed]\n", 0o600)

    answer = served.look_up(check=False)

    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "config.toml, line 1" in answer.stderr
    assert (served.show("ActiveState"), served.show("NRestarts")) == ("active", "0")


def test_daemon_that_cannot_start_is_given_up_and_started_again_by_hand(served: Account) -> None:
    drop_in = served.write(
        f"{UNITS}/{SERVICE_UNIT}.d/broken.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n"
    )
    served.systemctl("daemon-reload")
    answer = served.look_up(check=False)

    given_up = (answer.exit_code, served.show("ActiveState"), served.show("Result", SOCKET_UNIT))
    served.run("rm", drop_in)
    served.systemctl("daemon-reload")
    started = served.brokerctl("start")

    assert given_up == (1, "failed", "service-start-limit-hit")
    assert "is running" in started.stdout
    assert served.look_up().stdout == f"{TOKEN}\n"


def test_look_up_that_waits_for_a_sign_in_tool_is_answered_before_a_restart(served: Account) -> None:
    tool = served.write("tool", f"#!/bin/sh\nuntil [ -e ~/go ]; do sleep 0.02; done; echo {TOKEN}\n", 0o755)
    served.write(CONFIG, FEED_CONFIG.replace(f'"/bin/echo", "{TOKEN}"', f'"{tool}"'), 0o600)
    waiting = served.start(served.bin / "keyring-shim", "get", FEED, "user")
    until(lambda: served.run("pgrep", "-f", str(tool), check=False).stdout, "sign-in tool")
    first = served.pid()

    served.systemctl("restart", "--no-block", SERVICE_UNIT)
    served.wait_until("ActiveState", "deactivating")
    served.write("go", "")
    answer, _ = waiting.communicate(timeout=PATIENCE_S)

    assert answer == f"{TOKEN}\n"
    until(lambda: served.pid() not in {0, first}, "next daemon")


def test_stop_leaves_no_socket_behind(served: Account) -> None:
    served.look_up()

    served.systemctl("stop", SOCKET_UNIT, SERVICE_UNIT)

    assert served.show("Result") == "success"
    assert not (served.runtime / "token-broker" / "broker.sock").exists()


def test_socket_that_was_removed_is_made_anew(served: Account) -> None:
    quicken(served)
    served.look_up()
    first = served.pid()
    (served.runtime / "token-broker" / "broker.sock").unlink()

    until(lambda: served.look_up(check=False).exit_code == 0, "answer by the new socket")

    assert served.pid() != first
    assert served.show("ActiveState", SOCKET_UNIT) == "active"


def test_upgrade_ends_the_daemon_in_order_and_the_next_look_up_starts_the_new_one(served: Account) -> None:
    quicken(served)
    served.look_up()
    first = served.pid()
    record = next(served.home.glob("apps/token-broker/lib/*/site-packages/token_broker-*.dist-info/RECORD"))

    record.write_text(record.read_text())
    served.wait_until("ActiveState", "inactive")
    answer = served.look_up()

    assert answer.stdout == f"{TOKEN}\n"
    assert served.pid() not in {0, first}


def test_what_the_unit_forbids_is_forbidden_to_its_children(served: Account) -> None:
    probe = served.write("probe", PROBE, 0o755)
    served.write(CONFIG, FEED_CONFIG.replace(f'"/bin/echo", "{TOKEN}"', f'"{probe}"'), 0o600)

    served.systemctl("set-environment", "LD_PRELOAD=/planted.so", "PYTHONPATH=/planted")

    answer = served.look_up()
    served.systemctl("unset-environment", "LD_PRELOAD", "PYTHONPATH")

    assert answer.stdout.split() == ["umask=0077", "core=0", "nnp=1", "env=", "userns=refused"]
    assert served.machine.run("root", "readlink", f"/proc/{served.pid()}/cwd").stdout == "/\n"


PROBE = """#!/bin/sh
printf 'umask=%s core=%s nnp=%s env=%s userns=%s\\n' "$(umask)" "$(ulimit -c)" \\
  "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status)" "$LD_PRELOAD$PYTHONPATH" \\
  "$(unshare -U true 2>/dev/null && echo allowed || echo refused)"
"""
