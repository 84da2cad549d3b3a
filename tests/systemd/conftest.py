from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.setup.unit_files import Installation, service_unit, socket_unit
from tests.systemd.account import CONFIG, FEED_CONFIG, SERVICE_UNIT, SOCKET_UNIT, UNITS, Account
from tests.systemd.installation import PACKAGES, READABLE
from tests.systemd.machine import CannotBoot, Machine, machine
from tests.systemd.workstation import Workstation

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def booted() -> Iterator[Machine]:
    """A machine with systemd, for all tests."""
    try:
        with machine(PACKAGES, READABLE) as made:
            yield made
    except CannotBoot as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def _installed(booted: Machine) -> Account:
    account = Account(booted, "alice")
    account.install()
    return account


@pytest.fixture(scope="session")
def workstation(booted: Machine) -> Workstation:
    """The machine, with token-broker installed for everybody and set up for nobody."""
    return Workstation(booted)


@pytest.fixture(scope="module")
def system_broker(workstation: Workstation) -> Iterator[Workstation]:
    """The same with a system broker."""
    workstation.set_up_system_broker()
    yield workstation
    workstation.root("brokerctl", "teardown", "--system")


@pytest.fixture
def alice(_installed: Account) -> Iterator[Account]:
    """Alice's account: token-broker is installed below her home and nothing else is there."""
    yield _installed
    _installed.clear()


@pytest.fixture
def served(alice: Account) -> Account:
    """Alice, with the socket listening, one feed configured, and no daemon yet."""
    alice.write(CONFIG, FEED_CONFIG, 0o600)
    listen(alice)
    return alice


def listen(account: Account) -> None:
    """Let the account's socket listen."""
    installation = Installation(account.bin / "python", account.bin / "brokerd")
    account.write(f"{UNITS}/{SOCKET_UNIT}", socket_unit(installation))
    account.write(f"{UNITS}/{SERVICE_UNIT}", service_unit(installation))
    account.systemctl("daemon-reload")
    account.systemctl("start", SOCKET_UNIT)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups, also where this folder alone was asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One machine at a time: two would share one cgroup, and each other's processors; one ends the other's
    processes.
    """
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("machine"))
