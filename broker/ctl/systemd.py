"""The user's systemd units: whether they are there, and `systemctl --user`."""

import shutil
import subprocess

SOCKET_UNIT = "token-broker.socket"
SERVICE_UNIT = "token-broker.service"

LOOK_LIMIT_S = 5.0
ACT_LIMIT_S = 120.0
"""Longer than a unit's own start and stop limits (90 s): systemd says first what is wrong."""


def has_units() -> bool:
    """True when this user's service manager answers and knows our socket. Never raises."""
    if shutil.which("systemctl") is None:
        return False
    try:
        shown = _systemctl(LOOK_LIMIT_S, "show", "--property=LoadState", "--value", SOCKET_UNIT)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return shown.stdout.strip() == "loaded"


def systemctl(*arguments: str) -> str | None:
    """Run `systemctl --user`; returns None when it did as told, else the last line of what it said."""
    try:
        done = _systemctl(ACT_LIMIT_S, *arguments)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"systemctl did not end ({type(error).__name__})"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"systemctl ended with {done.returncode}"


def _systemctl(limit_s: float, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemctl", "--user", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
