"""Every line of the units was run: each is in one of three tables, by what showed that it works.

TRIED: a program in the service is refused, or sees, something else than in no unit at all. HAPPENS: what the
line is there for happens in the named test. SHOWN: a limit that no test exhausts, or something that an
unprivileged process can do neither with the line nor without it; the service manager says that it took it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.systemd.account import CONFIG, FEED_CONFIG, SERVICE_UNIT, SOCKET_UNIT, TOKEN
from tests.systemd.set_up import feed_of_command

if TYPE_CHECKING:
    from tests.systemd.account import Account

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = [FOLDER / name for name in (SOCKET_UNIT, SERVICE_UNIT, "50-sandbox.conf")]

OWN_NAMESPACE = "another one"

TRIED = {
    "PrivateUsers": "1001 1001 1",
    "CapabilityBoundingSet": "0000000000000000",
    "ProtectSystem": "refused",
    "PrivateDevices": "closed",
    "PrivateIPC": OWN_NAMESPACE,
    "ProtectHostname": OWN_NAMESPACE,
    "MemoryDenyWriteExecute": "refused",
    "InaccessiblePaths": "refused",
    "RestrictSUIDSGID": "refused",
    "LockPersonality": "refused",
    "RestrictNamespaces": "refused",
    "RestrictAddressFamilies": "refused",
    "SystemCallFilter": "refused",
}

HAPPENS = {
    "test_first_look_up_starts_the_daemon_and_is_answered": (
        *("ListenStream", "FileDescriptorName", "Requires", "After", "Type", "ExecStart"),
        *("DirectoryMode", "SocketMode"),  # the shim refuses looser ones
    ),
    "test_only_the_socket_starts_with_the_session": ("WantedBy",),
    "test_stop_leaves_no_socket_behind": ("RemoveOnStop",),
    "test_systemctl_status_says_how_the_feeds_are": ("NotifyAccess",),
    "test_reload_reads_the_configuration_and_is_told_of_its_end": ("ExecReload",),
    "test_killed_daemon_comes_back_before_anybody_asks": ("Restart", "RestartSec"),
    "test_stopped_process_is_replaced_by_the_watchdog": ("WatchdogSec", "WatchdogSignal"),
    "test_daemon_that_cannot_start_is_given_up_and_started_again_by_hand": (
        *("StartLimitIntervalSec", "StartLimitBurst"),
    ),
    "test_look_up_that_waits_for_a_sign_in_tool_is_answered_before_a_restart": ("KillMode", "TimeoutStopSec"),
    "test_what_the_unit_forbids_is_forbidden_to_its_children": (
        *("UMask", "NoNewPrivileges", "UnsetEnvironment", "WorkingDirectory"),
    ),
    "test_sandbox_shows_nothing_of_the_home_but_what_is_needed": ("ProtectHome", "PrivateTmp"),
    "test_sandboxed_daemon_shares_and_its_folder_outlives_its_restart": (
        *("RuntimeDirectory", "RuntimeDirectoryMode", "RuntimeDirectoryPreserve"),
    ),
    "test_logs_are_the_journals_with_priorities": ("SyslogIdentifier",),
    "test_units_are_without_a_complaint_of_systemd": ("Description", "Environment"),
}

SHOWN = {
    "Backlog": (SOCKET_UNIT, "4096"),
    "TimeoutStartSec": (SERVICE_UNIT, "30s"),
    "OOMPolicy": (SERVICE_UNIT, "continue"),
    "MemorySwapMax": (SERVICE_UNIT, "0"),
    "MemoryMax": (SERVICE_UNIT, str(2 << 30)),
    "TasksMax": (SERVICE_UNIT, "512"),
    "LogRateLimitIntervalSec": (SERVICE_UNIT, "30s"),
    "LogRateLimitBurst": (SERVICE_UNIT, "500"),
    "RestrictRealtime": (SERVICE_UNIT, "yes"),
    "SystemCallArchitectures": (SERVICE_UNIT, "native"),
    "SystemCallErrorNumber": (SERVICE_UNIT, "1"),
    "AmbientCapabilities": (SERVICE_UNIT, ""),
    "DevicePolicy": (SERVICE_UNIT, "closed"),
    "ProtectClock": (SERVICE_UNIT, "yes"),
    "ProtectKernelLogs": (SERVICE_UNIT, "yes"),
    "ProtectKernelModules": (SERVICE_UNIT, "yes"),
    "ProtectKernelTunables": (SERVICE_UNIT, "yes"),
    "ProtectControlGroups": (SERVICE_UNIT, "yes"),
}
RENAMED = {
    "TimeoutStartSec": "TimeoutStartUSec",
    "LogRateLimitIntervalSec": "LogRateLimitIntervalUSec",
}
"""Properties that are not called as their lines are."""


SILENTLY_IGNORED = {"ProtectProc", "ProcSubset"}
"""Make systemd-analyze's number smaller, and nothing else: a user's manager may mount no other /proc, for the
PID namespace is the machine's, and does not say so (systemd 252, Linux 6.1). So they are not in the units.
"""


def lines() -> set[str]:
    """Every directive of the units."""
    text = "".join(path.read_text() for path in UNITS)
    return set(re.findall(r"^([A-Z]\w+)=", text, re.MULTILINE))


def test_every_line_of_the_units_is_in_a_table() -> None:
    happening = {line for each in HAPPENS.values() for line in each}

    assert not lines() & SILENTLY_IGNORED
    assert lines() == {*TRIED, *happening, *SHOWN}
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [test for test in HAPPENS if f"def {test}(" not in sources] == []


@pytest.mark.long
def test_what_is_tried_inside_is_refused_and_is_not_outside(alice: Account) -> None:
    for folder, mode in (("/srv/own", "0777"), ("/run/containerd", "0755")):
        alice.machine.run("root", "install", "-d", "-m", mode, folder)
    text = (Path(__file__).parent / "confined.py").read_text()
    program = alice.write("feeds/confined", f"#!{alice.bin}/python\n{text}", 0o755)
    answered = alice.seen_home / ".azure" / "answers"
    command = (str(program), str(answered))
    alice.write(CONFIG, feed_of_command(*command), 0o600)
    said = alice.set_up().stdout
    alice.run("rm", "-f", answered)

    assert "✓ sandbox" in said
    assert alice.look_up().stdout == f"{TOKEN}\n"
    inside = json.loads((alice.home / ".azure" / "answers").read_text())
    alice.run(*command)
    outside = json.loads((alice.home / ".azure" / "answers").read_text())

    assert {name: OWN_NAMESPACE if TRIED[name] == OWN_NAMESPACE else inside[name] for name in TRIED} == TRIED
    assert [name for name in TRIED if inside[name] == outside[name]] == []


@pytest.mark.long
def test_what_cannot_be_tried_is_shown_by_the_service_manager(alice: Account) -> None:
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    alice.set_up()
    alice.look_up()

    shown = {name: alice.show(RENAMED.get(name, name), unit) for name, (unit, _) in SHOWN.items()}

    assert shown == {name: value for name, (_, value) in SHOWN.items()}
