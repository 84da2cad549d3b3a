"""The user's systemd units: whether they are there, and `systemctl --user`."""

import contextlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from broker.host.start_failure import no_outcome

SOCKET_UNIT = "token-broker.socket"
SERVICE_UNIT = "token-broker.service"

USER = "--user"
SYSTEM = "--system"
"""Which service manager: this user's own, or the machine's."""

LINGERING = Path("/var/lib/systemd/linger")
"""logind's list of users whose manager lingers; logind itself answers only for users who are logged in."""

LOOK_LIMIT_S = 5.0
ACT_LIMIT_S = 120.0
"""Longer than a unit's own start and stop limits (90 s), so that systemd reports the failure first."""


def has_units() -> bool:
    """True when this user's service manager answers and knows our socket. Never raises."""
    return shown("LoadState", SOCKET_UNIT) == "loaded"


def is_there() -> bool:
    """True when a service manager of this user's answers. Never raises."""
    return bool(ask("systemctl", "--user", "show", "--property=Version", "--value"))


def shown(name: str, unit: str, *, manager: str = USER) -> str:
    """A property of a unit, empty when its service manager does not answer. Never raises."""
    return ask("systemctl", manager, "show", f"--property={name}", "--value", unit)


def lingers() -> bool:
    """True when this user's service manager runs without a session. Never raises."""
    said = ask("loginctl", "show-user", "--property=Linger", "--value", str(os.geteuid()))
    if said:
        return said == "yes"
    with contextlib.suppress(KeyError):  # a user without an account: a container's
        return (LINGERING / pwd.getpwuid(os.geteuid()).pw_name).exists()
    return False


def ask(*command: str) -> str:
    """The output of a systemd program; empty when it fails or is not installed. Never raises."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = _run(LOOK_LIMIT_S, *command)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def systemctl(*arguments: str, manager: str = USER) -> str | None:
    """Run systemctl; returns None on success, else the first line of its error message."""
    return _complaint("systemctl", manager, *arguments)


def made_users(sysusers: str) -> str | None:
    """Make the users and groups of a file in sysusers.d; returns as `systemctl` does."""
    return _complaint("systemd-sysusers", sysusers)


def _complaint(*command: str) -> str | None:
    try:
        done = _run(ACT_LIMIT_S, *command)
    except (OSError, subprocess.TimeoutExpired) as error:
        return no_outcome(command[0], error)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[0] if said else f"{command[0]} ended with {done.returncode}"


def _run(limit_s: float, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        env={**os.environ, **_way_to_the_manager(), "LC_ALL": "C"},
    )


def _way_to_the_manager() -> dict[str, str]:
    """The variable of the runtime directory, where cron, sudo or ssh did not set it."""
    runtime = Path(f"/run/user/{os.geteuid()}")
    return (
        {"XDG_RUNTIME_DIR": str(runtime)} if "XDG_RUNTIME_DIR" not in os.environ and runtime.is_dir() else {}
    )
