"""A share at the other end of a real ssh connection: `ssh -R` from the one that shares, `ssh -L` towards it.

Needs Debian's openssh-server; its sshd serves this test's user on loopback, with keys of the test's own.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD
from tests.e2e.patience import PATIENCE_S, until
from tests.e2e.test_shares import folder_of, served, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.household import Household

__all__ = ["served"]

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(SSHD is None, reason="needs sshd: apt-get install openssh-server"),
    pytest.mark.usefixtures("served"),
]

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
StreamLocalBindUnlink yes
"""


@pytest.fixture
def ssh(house: Household) -> Iterator[list[str]]:
    """How to reach a running sshd; the machine at the other end is this one."""
    folder = house.folder / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(
            exist_ok=True
        )  # where root's sshd has its unprivileged half; the service makes it
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    with (folder / "log").open("wb") as log:
        sshd = subprocess.Popen([str(SSHD), "-D", "-e", "-f", folder / "config"], stderr=log)
    try:
        until(lambda: b"listening on" in (folder / "log").read_bytes(), "sshd that listens")
        known = ["-o", f"UserKnownHostsFile={folder}/known", "-o", "StrictHostKeyChecking=accept-new"]
        user = ["-i", f"{folder}/user", "-l", getpass.getuser(), "-p", str(port)]
        yield ["ssh", "-F", "none", *known, *user, "-o", "ExitOnForwardFailure=yes", "-N", "127.0.0.1"]
    finally:
        sshd.terminate()
        sshd.wait(PATIENCE_S)


@contextmanager
def forwarded(ssh: list[str], option: str, there: Path, here: Path) -> Iterator[str]:
    """The path at which the share answers through the connection."""
    there.parent.mkdir(mode=0o700)
    connection = subprocess.Popen([*ssh, option, f"{there}:{here}"])
    try:
        until(lambda: there.is_socket() or connection.poll() is not None, "forwarded socket")
        assert connection.poll() is None
        yield str(there)
    finally:
        connection.terminate()
        connection.wait(PATIENCE_S)


@pytest.mark.parametrize("option", ["-R", "-L"])
def test_share_is_reached_over_ssh_and_its_renewal_too(house: Household, ssh: list[str], option: str) -> None:
    share(house)
    with forwarded(
        ssh, option, house.folder / "there" / "broker.sock", folder_of(house) / "broker.sock"
    ) as path:
        first = house.keyring("get", PLAIN_FEED, "ci", TOKEN_BROKER_SOCKET=path)
        share(house, "--end", "dev")
        ended = house.keyring("get", PLAIN_FEED, "ci", TOKEN_BROKER_SOCKET=path)
        share(house)
        renewed = house.keyring("get", PLAIN_FEED, "ci", TOKEN_BROKER_SOCKET=path)

    assert (first.stdout, first.stderr) == (f"{PLAIN_PASSWORD}\n", "")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.endswith("run: brokerctl share --feed plain --for 8h --name dev\n")
    assert renewed.stdout == f"{PLAIN_PASSWORD}\n"


def test_expiry_is_told_over_ssh(house: Household, ssh: list[str]) -> None:
    share(house, life="1s")
    with forwarded(
        ssh, "-R", house.folder / "there" / "broker.sock", folder_of(house) / "broker.sock"
    ) as path:

        def refusal() -> str:
            return house.keyring("get", PLAIN_FEED, "ci", TOKEN_BROKER_SOCKET=path).stderr

        told = until(refusal, "end of the share")

    assert told.endswith("run: brokerctl share --feed plain --for 1s --name dev\n")
