"""The Azure CLI as a program on PATH, and the switches a test holds: who is signed in (which is kept in
an `azureProfile.json`, as the real one's is), how each call goes, and how often it was called.
Next: `az_program.py`, the program itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from tests.fakes.az_program import CALLS, CONDUCT, GATE, GRANDCHILDREN, LEASH, PERSON, SAME_TOKEN, Conduct
from tests.fakes.journal import PATIENCE_S
from tests.fakes.tokens import AZURE_DEVOPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

Seen = TypeVar("Seen")

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("tests/fakes/az_program.py", "tests/fakes/tokens.py")
GLANCE_S = 0.005

LOGGED_OUT = "ERROR: Please run 'az login' to setup account."
LOGGED_OUT_OF_SUBSCRIPTION = "ERROR: No subscription found. Run 'az account set' to select a subscription."
OFFLINE = (
    "ERROR: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries exceeded with url: "
    "/organizations/v2.0/.well-known/openid-configuration (Caused by NewConnectionError("
    "'<urllib3.connection.HTTPSConnection object>: Failed to establish a new connection: "
    "[Errno -3] Temporary failure in name resolution'))"
)
UPGRADE_WARNING = "WARNING: You have 2 update(s) available. Consider updating your CLI installation."
_TRACE = (
    "Trace ID: 00000000-1111-2222-3333-444444444444 "
    "Correlation ID: 00000000-1111-2222-3333-555555555555 Timestamp: 2026-01-02 03:04:05Z"
)


def aadsts_complaint(code: int, text: str = "The sign-in was refused.", tenant: str | None = None) -> str:
    """What a newer az prints when Entra refuses: the story, and the line to type."""
    chosen = f' --tenant "{tenant}"' if tenant else ""
    return (
        f"ERROR: AADSTS{code}: {text} {_TRACE}\n"
        "Interactive authentication is needed. Please run:\n"
        f'az login{chosen} --scope "{AZURE_DEVOPS}/.default"'
    )


def old_aadsts_complaint(code: int, text: str = "The sign-in was refused.") -> str:
    """The same from an az before MSAL."""
    answer = {"error": "invalid_grant", "error_description": f"AADSTS{code}: {text}\r\n{_TRACE}"}
    told = json.dumps({**answer, "error_codes": [code], "suberror": "bad_token"})
    return f"ERROR: Get Token request returned http error: 400 and server response: {told}"


@dataclass(frozen=True)
class Call:
    """One call of az."""

    pid: int
    arguments: tuple[str, ...]
    config_dir: str | None


class AzureCli:
    """A fake az in `folder`. Its conduct and its sign-in may be changed while a daemon runs. Leaving the
    context lets go of every call that hangs.
    """

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.config_dir = folder / "azure"
        self._control = folder / "control"
        for made in (self.bin, self.config_dir, self._control):
            made.mkdir(parents=True)
        (self._control / GATE).touch()
        (self._control / LEASH).touch()
        self._leash = contextlib.ExitStack()
        self.behave(Conduct())
        self.install()

    def __enter__(self) -> Self:
        self._leash.enter_context(_locked(self._control / LEASH))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leash.close()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make this az the one on PATH; lay them over another environment."""
        path = os.pathsep.join((str(self.bin), os.environ.get("PATH", os.defpath)))
        return {"PATH": path, "AZURE_CONFIG_DIR": str(self.config_dir)}

    @property
    def program(self) -> Path:
        """The executable."""
        return self.bin / "az"

    def install(self) -> None:
        """Put az on PATH (again)."""
        self._install(Path(sys.executable), ROOT, self._control)

    def install_for_others(self, seen: Path) -> None:
        """The same for users who see the folder as `seen`, and neither this Python nor this checkout."""
        sources = self.bin.parent / "lib"
        for source in PROGRAM:
            (sources / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, sources / source)
        self._install(Path("/usr/bin/python3"), seen / sources.name, seen / self._control.name)

    def _install(self, python: Path, sources: Path, control: Path) -> None:
        lines = (
            f"#!{python} -IS",
            "import sys",
            f"sys.path.insert(0, {str(sources)!r})",
            "from tests.fakes.az_program import main",
            f"sys.exit(main({str(control)!r}, sys.argv[1:]))",
        )
        _replace(self.program, "\n".join(lines) + "\n", mode=0o755)

    def uninstall(self) -> None:
        """Take az off this machine."""
        self.program.unlink()

    def behave(self, conduct: Conduct) -> None:
        """How the next calls go; `Conduct()` is the healthy az."""
        if conduct.mode != "same":
            (self._control / SAME_TOKEN).unlink(missing_ok=True)
        _replace(self._control / CONDUCT, json.dumps(conduct._asdict()))

    def sign_in(
        self, user: str, tenants: Sequence[str], *, config_dir: Path | None = None, application: bool = False
    ) -> None:
        """Write the account list as `az login` leaves it: one subscription for each tenant."""
        subscriptions = [_subscription(user, tenant, application=application) for tenant in tenants]
        if subscriptions:
            subscriptions[0]["isDefault"] = True
        self._write_profile(config_dir or self.config_dir, subscriptions)

    def expect(self, user: str, tenants: Sequence[str]) -> None:
        """Let `az login` sign this person in; without, it fails."""
        self.sign_in(user, tenants, config_dir=self._control / PERSON)

    def sign_out(self, config_dir: Path | None = None) -> None:
        """Write the account list as `az logout` leaves it."""
        self._write_profile(config_dir or self.config_dir, [])

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call so far, those still running included."""
        read = [json.loads(line) for line in self._lines(CALLS)]
        return tuple(Call(one["pid"], tuple(one["arguments"]), one["config_dir"]) for one in read)

    def wait_for_calls(self, count: int, patience_s: float = PATIENCE_S) -> tuple[Call, ...]:
        """The calls, as soon as there are `count`. Raises TimeoutError after `patience_s`."""
        return _wait_for(lambda: self.calls, count, patience_s)

    @property
    def grandchildren(self) -> tuple[int, ...]:
        """The process ids of what hanging calls left behind, alive or not."""
        return tuple(int(line) for line in self._lines(GRANDCHILDREN))

    def wait_for_grandchildren(self, count: int, patience_s: float = PATIENCE_S) -> tuple[int, ...]:
        """The same as soon as there are `count`. Raises TimeoutError after `patience_s`."""
        return _wait_for(lambda: self.grandchildren, count, patience_s)

    def _lines(self, name: str) -> list[str]:
        try:
            return (self._control / name).read_text().splitlines()
        except FileNotFoundError:
            return []

    def held(self) -> contextlib.AbstractContextManager[None]:
        """While inside, az is called but does not go on; then it does."""
        return _locked(self._control / GATE)

    def _write_profile(self, config_dir: Path, subscriptions: list[dict[str, object]]) -> None:
        config_dir.mkdir(parents=True, exist_ok=True)
        profile = {"installationId": str(uuid.uuid4()), "subscriptions": subscriptions}
        # az writes it with a byte order mark
        _replace(config_dir / "azureProfile.json", "\ufeff" + json.dumps(profile))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("rb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    told = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(told) and not told.startswith("Z")


def still_alive(pids: Iterable[int], patience_s: float = PATIENCE_S) -> list[int]:
    """Those that run on after `patience_s`. A process that was killed closes its pipes before it ends."""
    deadline = time.monotonic() + patience_s
    pids = list(pids)
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(GLANCE_S)
    return left


def _wait_for(look: Callable[[], tuple[Seen, ...]], count: int, patience_s: float) -> tuple[Seen, ...]:
    deadline = time.monotonic() + patience_s
    while len(seen := look()) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(seen)} after {patience_s} s, {count} expected")
        time.sleep(GLANCE_S)
    return seen


def _subscription(user: str, tenant: str, *, application: bool) -> dict[str, object]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{user}/{tenant}")),
        "name": f"subscription of {tenant}",
        "state": "Enabled",
        "user": {"name": user, "type": "servicePrincipal" if application else "user"},
        "isDefault": False,
        "tenantId": tenant,
        "environmentName": "AzureCloud",
        "homeTenantId": tenant,
        "managedByTenants": [],
    }


def _replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Change the file in one step, so that a running az reads the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, "utf-8")
    fresh.chmod(mode)
    fresh.replace(path)
