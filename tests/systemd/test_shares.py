"""Shares of a daemon in its sandbox, under a real systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.setup.unit_files import View, sandbox
from tests.systemd.account import CONFIG, FEED, SERVICE_UNIT, TOKEN, UNITS
from tests.systemd.installation import INTERPRETER
from tests.systemd.machine import until
from tests.systemd.test_service import quicken

if TYPE_CHECKING:
    from tests.systemd.account import Account
    from tests.systemd.machine import Done

SHARE = ("share", "--feed", "packages", "--for", "8h", "--name", "dev")


@pytest.fixture
def sandboxed(served: Account) -> Account:
    """Alice, whose daemon will see of her home what it needs and nothing else, as `setup` would have it."""
    needed = [served.seen_home / "apps", (served.seen_home / CONFIG).parent, INTERPRETER]
    served.write(f"{UNITS}/{SERVICE_UNIT}.d/50-sandbox.conf", sandbox(View(readable=needed)))
    served.systemctl("daemon-reload")
    return served


def look_up(sandboxed: Account, *, user: str = "alice") -> Done:
    """Ask the share as a container's shim would, as this user of the machine."""
    socket = sandboxed.socket.parent / "shares" / "dev" / "broker.sock"
    said = {
        "TOKEN_BROKER_SOCKET": str(socket),
        "TOKEN_BROKER_TRUST_UID": str(sandboxed.uid),
        "TOKEN_BROKER_AUTOSTART": "0",
    }
    shim = sandboxed.bin / "keyring-shim"
    return sandboxed.machine.run(user, shim, "get", FEED, "user", environment=said, check=False)


def test_sandboxed_daemon_shares_and_its_folder_outlives_its_restart(sandboxed: Account) -> None:
    sandboxed.brokerctl(*SHARE)
    folder = sandboxed.runtime / "token-broker" / "shares" / "dev"
    before, first = folder.stat().st_ino, sandboxed.pid()

    answered = look_up(sandboxed).stdout
    sandboxed.kill("KILL")
    until(lambda: look_up(sandboxed).stdout, "answer of the next daemon")

    assert answered == f"{TOKEN}\n"
    assert sandboxed.pid() != first
    assert folder.stat().st_ino == before


def test_rootless_container_of_an_ordinary_user_is_its_own_root(sandboxed: Account) -> None:
    sandboxed.brokerctl(*SHARE)
    mount = "mkdir -p m && mount --bind $1 m && TOKEN_BROKER_SOCKET=$PWD/m/broker.sock exec $2 get $3 user"
    inside = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f"id -u && {mount}", "sh")

    told = sandboxed.run(
        *inside, sandboxed.socket.parent / "shares/dev", sandboxed.bin / "keyring-shim", FEED
    )

    assert told.stdout == f"0\n{TOKEN}\n"


@pytest.mark.long
def test_new_installation_is_started_at_once_while_something_is_shared(sandboxed: Account) -> None:
    quicken(sandboxed)
    sandboxed.brokerctl(*SHARE)
    first = sandboxed.pid()

    about = next((sandboxed.home / "apps").rglob("token_broker-*.dist-info")) / "RECORD"
    about.touch()

    until(lambda: sandboxed.pid() not in {0, first}, "next daemon")
    until(lambda: look_up(sandboxed).stdout, "answer of the next daemon")


@pytest.mark.long
def test_root_is_told_that_the_sandbox_cannot_name_it(sandboxed: Account) -> None:
    sandboxed.brokerctl(*SHARE)

    told = look_up(sandboxed, user="root")

    assert (told.exit_code, told.stdout) == (1, "")
    assert "no number in the broker's user namespace (65534), such as root" in told.stderr
    assert f"run: docker run --user {sandboxed.uid} IMAGE" in told.stderr
