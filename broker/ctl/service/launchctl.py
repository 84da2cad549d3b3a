"""launchd's agent for this user: whether there is a launchd, and `launchctl`. Not run on a Mac yet.

After launchctl(1) of macOS 10.11 and later: `bootstrap` and `bootout`, in the desktop's domain where there is
a desktop, else in the user's own.
"""

import os
import shutil
import subprocess
from pathlib import Path

from broker.host.start_failure import no_outcome

LABEL = "io.github.token-broker"
LIMIT_S = 30.0


def is_there() -> bool:
    """True on a machine with launchd."""
    return shutil.which("launchctl") is not None


def domain() -> str:
    """Where the agent is loaded: `gui/UID` where the user has a desktop session, else `user/UID`."""
    desktop = f"gui/{os.geteuid()}"
    return desktop if _run("print", desktop).returncode == 0 else f"user/{os.geteuid()}"


def is_loaded() -> bool:
    """True when launchd keeps our socket."""
    return _run("print", f"{domain()}/{LABEL}").returncode == 0


def load(plist: Path) -> str | None:
    """Let launchd keep the agent's socket, now and after each login; returns launchd's error message."""
    done = _run("bootstrap", domain(), str(plist))
    said = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (said[-1] if said else f"launchctl ended with {done.returncode}")


def unload() -> None:
    """End the agent and close its socket; does nothing when it is not loaded."""
    _run("bootout", f"{domain()}/{LABEL}")


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    command = ["launchctl", *words]
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", no_outcome("launchctl", error))
