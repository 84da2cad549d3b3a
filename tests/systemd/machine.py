"""A machine of the tests' own: a real systemd with the user managers of alice and bob, in namespaces.

Boots in about half a second, changes nothing outside, leaves nothing behind; its files are seen from outside
below `root`. Needs root, and Debian's systemd, dbus, dbus-user-session and libpam-systemd. Next: `boot.sh`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tests.e2e import patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Seen = TypeVar("Seen")

BOOT = Path(__file__).with_name("boot.sh")
UIDS = {"alice": 1001, "bob": 1002, "carol": 1003}
MANAGED = ("alice", "bob")
"""Who is logged in, and has a service manager."""

NEEDED = ("/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/unshare", "/usr/bin/setpriv")
PAM_MODULES = "pam_systemd.so"
COMMAND_LIMIT_S = 120
GLANCE_S = 0.1
"""A look into the machine is half a dozen programs."""

PATH = "/usr/bin:/bin"


def until(look: Callable[[], Seen | None], what: str, patience_s: float = patience.PATIENCE_S) -> Seen:
    """The same as that of `patience`, with the looks of those who look into a machine."""
    return patience.until(look, what, patience_s, GLANCE_S)


class CannotBoot(Exception):  # noqa: N818 - an outcome that tests skip on
    """This machine cannot run another systemd; the message says why."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


class Machine:
    """A booted machine. `root` is its root directory, as seen from outside."""

    def __init__(self, first: int) -> None:
        self.root = Path(f"/proc/{first}/root")
        self._enter = ["nsenter", "-t", str(first), "-m", "-p", "-u", "-i", "-C", "--"]

    def command(
        self, user: str, argv: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> list[str]:
        """The command line that runs `argv` in the machine, as a shell of this user would, from / ."""
        uid = UIDS.get(user, 0)
        home = f"/home/{user}" if uid else "/root"
        variables = {
            "PATH": PATH,
            "HOME": home,
            "USER": user,
            "LOGNAME": user,
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": f"/run/user/{uid}",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{uid}/bus",
            **(environment or {}),
        }
        become = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--init-groups"] if uid else []
        pairs = [f"{name}={value}" for name, value in variables.items()]
        return [*self._enter, *become, "env", "-i", *pairs, *(str(word) for word in argv)]

    def run(
        self,
        user: str,
        *argv: str | Path,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
        check: bool = True,
    ) -> Done:
        """Run a command as this user and wait for its end; `check` demands that it ends well."""
        done = subprocess.run(
            self.command(user, argv, environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{argv} ended with {done.returncode}\n{done.stderr}"
        return Done(done.returncode, done.stdout, done.stderr)

    def home(self, user: str) -> Path:
        """The user's home, as seen from outside."""
        return self.root / "home" / user


@contextlib.contextmanager
def machine(packages: Path, readable: Sequence[Path]) -> Iterator[Machine]:
    """A machine, booted, whose users can read all of `readable`, and `packages` as /srv/site-packages.

    Raises CannotBoot.
    """
    _refuse_what_is_missing()
    with tempfile.TemporaryDirectory(prefix="machine-", dir="/tmp") as work:
        Path(work).chmod(0o755)
        unshare = ["unshare", "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--fork", "--kill-child=KILL"]
        outer = subprocess.Popen(
            [*unshare, BOOT, work, packages, *readable],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            first = until(lambda: _child_of(outer), "process 1")
            booted = Machine(first)
            until(lambda: _is_up(booted, outer), "systemd")
            managers = [f"user@{UIDS[user]}.service" for user in MANAGED]
            booted.run("root", "systemctl", "start", "dbus.socket", "systemd-logind.service", *managers)
            yield booted
        except TimeoutError as error:
            raise CannotBoot(f"no second systemd comes up here: {error}") from None
        finally:
            outer.kill()
            outer.communicate()


def _refuse_what_is_missing() -> None:
    if os.geteuid() != 0:
        raise CannotBoot("only root can boot a systemd in namespaces")
    missing = [path for path in NEEDED if not os.access(path, os.X_OK)]
    if missing or not any(Path("/lib").glob(f"**/security/{PAM_MODULES}")):
        raise CannotBoot("needs Debian's systemd, dbus, dbus-user-session, libpam-systemd and util-linux")
    if shutil.which("bash") is None:
        raise CannotBoot("needs bash")


def _child_of(outer: subprocess.Popen[str]) -> int:
    """Process 1 of the new PID namespace, 0 while there is none. Raises CannotBoot when it cannot be."""
    if outer.poll() is not None:
        assert outer.stderr is not None
        raise CannotBoot(f"namespaces cannot be made here: {outer.stderr.read().strip()}")
    return int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().strip() or 0)


def _is_up(booting: Machine, outer: subprocess.Popen[str]) -> bool:
    _child_of(outer)
    state = booting.run("root", "systemctl", "is-system-running", check=False).stdout.strip()
    return state in {"running", "degraded"}
