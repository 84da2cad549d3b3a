from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.setup.unit_files import Installation, service_unit, socket_unit
from tests.conftest import ROOT
from tests.fakes.index import PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.wheels import wheel
from tests.systemd.account import CONFIG, FEED_CONFIG, SERVICE_UNIT, SOCKET_UNIT, UNITS, Account
from tests.systemd.administrator import Administrator
from tests.systemd.installation import PACKAGES, READABLE
from tests.systemd.machine import CannotBoot, Machine, machine
from tests.systemd.newcomer import put_uv_on_path
from tests.systemd.set_up import PACKAGE, PASSWORD, SetUp
from tests.systemd.workstation import Workstation

if TYPE_CHECKING:
    from collections.abc import Iterator

DOWNLOAD_S = 600.0


@pytest.fixture(scope="session")
def booted() -> Iterator[Machine]:
    """A machine with systemd, for all tests."""
    try:
        with machine(PACKAGES, READABLE) as made:
            yield made
    except CannotBoot as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of wheels that docs/install.md has pip make, with all that they depend on."""
    folder: Path = tmp_path_factory.mktemp("wheels")
    words = ("-m", "pip", "--no-input", "--quiet", "wheel", "--wheel-dir", folder, ROOT / "client", ROOT)
    subprocess.run([sys.executable, *words], timeout=DOWNLOAD_S, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def administrator(booted: Machine, wheels: Path) -> Iterator[Administrator]:
    """Root on a machine with that folder, with uv, and with nothing in /opt."""
    put_uv_on_path(Account(booted, "alice"))
    booted.run("root", "mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/opt")
    shutil.copytree(wheels, booted.root / "srv/wheels", dirs_exist_ok=True)
    yield Administrator(booted)
    booted.run("root", "umount", "/opt")
    booted.run("root", "rm", "/usr/local/bin/uv")


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


@pytest.fixture(scope="module")
def set_up(_installed: Account) -> Iterator[SetUp]:
    """A set-up that serves a module's tests, and with it alice's account as it was left."""
    with WebServer(PackageIndex([wheel(PACKAGE, "1.0")], passwords=[PASSWORD])) as server:
        yield SetUp.of(_installed, f"{server.url}/simple/")
    _installed.clear()


@pytest.fixture
def settled(set_up: SetUp) -> Iterator[Account]:
    """Alice, whose broker is set up and waits for a look-up; other tests find her units as they were."""
    account = set_up.account
    unit = account.home / UNITS / SERVICE_UNIT
    written = unit.read_text()
    yield account
    unit.write_text(written)
    account.systemctl("daemon-reload")
    account.systemctl("stop", SERVICE_UNIT)
    account.systemctl("start", SOCKET_UNIT)


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
    here = Path(__file__).parent
    files = {path for path in {item.path for item in items} if path.parent == here}
    for item in items:
        if item.path in files:
            item.add_marker(pytest.mark.xdist_group("machine"))
