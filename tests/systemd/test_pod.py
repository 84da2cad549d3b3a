"""What the Kubernetes manifest starts, in its own words, with a pod's users and one pid namespace."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.systemd.account import CONFIG, FEED, FEED_CONFIG, TOKEN
from tests.systemd.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.account import Account
    from tests.systemd.machine import Done

pytestmark = pytest.mark.long

MANIFEST = (Path(__file__).parents[2] / "kubernetes" / "sidecar.yaml").read_text()
VOLUME = "/tmp/pod"


def variables(account: Account) -> dict[str, str]:
    """What the manifest gives the build, with the broker's user and the volume of this machine."""
    found = dict(re.findall(r'- \{name: (TOKEN_BROKER_\w+), value: "?([^}"]+)"?\}', MANIFEST))
    assert set(found) == {"TOKEN_BROKER_SOCKET", "TOKEN_BROKER_AUTOSTART", "TOKEN_BROKER_TRUST_UID"}
    assert f"runAsUser: {found['TOKEN_BROKER_TRUST_UID']}\n" in MANIFEST
    here = {name: value.replace("/run/broker", VOLUME) for name, value in found.items()}
    return {**here, "TOKEN_BROKER_TRUST_UID": str(account.uid)}


@pytest.fixture
def pod(alice: Account) -> Iterator[Account]:
    """Alice is the broker's user; its volume is open to all, as that of a pod is."""
    command = re.search(r'command: (\["brokerd".*\])', MANIFEST)
    assert command is not None
    _, *options = json.loads(command[1].replace("/run/broker", VOLUME))
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    alice.machine.run("root", "mkdir", "--mode=0777", VOLUME)
    alice.machine.run("root", "cp", alice.bin / "keyring-shim", f"{VOLUME}/keyring")
    broker = alice.start(alice.bin / "brokerd", *options)
    try:
        until(lambda: build(alice, "alice").stdout or broker.poll() is not None, "answer of the broker")
        yield alice
    finally:
        alice.run("sh", "-c", f"kill $(cat {VOLUME}/own/broker.lock)")
        broker.communicate()
        alice.machine.run("root", "rm", "-r", VOLUME)


def build(account: Account, user: str) -> Done:
    ask = (f"{VOLUME}/keyring", "get", FEED, "user")
    return account.machine.run(user, *ask, environment=variables(account), check=False)


@pytest.mark.parametrize("user", ["alice", "root"])
def test_build_is_answered_as_the_brokers_user_and_as_root(pod: Account, user: str) -> None:
    assert build(pod, user).stdout == f"{TOKEN}\n"


def test_build_of_another_user_is_told_whose_the_socket_is(pod: Account) -> None:
    told = build(pod, "bob")

    assert (told.exit_code, told.stdout) == (1, "")
    assert "lets only its owner in, and you are uid 1002" in told.stderr
