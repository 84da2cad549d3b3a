"""Somebody new follows the README, word for word, on an account in which nothing is yet."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ctl.homes import tree
from tests.fakes.authority import shared_authority
from tests.fakes.az import AzureCli
from tests.fakes.azure_devops import AzureDevOps
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.wheels import wheel
from tests.systemd.account import SERVICE_UNIT, SOCKET_UNIT, Account
from tests.systemd.machine import UIDS
from tests.systemd.newcomer import CLONE, ROOT, Newcomer, put_uv_on_path, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.machine import Machine

TENANT = "11111111-2222-3333-4444-555555555555"
USER = "dev@acme.example"
PACKAGES = ("demo-package", "second-package", "third-package")
NAMES = {"ORG": "acme", "FEED": "corp"}
WHEELS = "srv/dependencies"
CERTIFICATES = "etc/ssl/certs/acme.pem"
PROMISED_S = 5 * 60
DOWNLOAD_S = 600.0
PROGRAMS = (".local/bin/brokerctl", ".local/bin/brokerd")
KEPT = (".cache", ".azure", ".local/share/uv", CLONE, *PROGRAMS)
"""What is uv's, az's and the newcomer's own, and not for `teardown` to undo."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installation needs from a public index, fetched once by this machine's pip."""
    folder: Path = tmp_path_factory.mktemp("wheels")
    words = ("-m", "pip", "--no-input", "--quiet", "wheel", "--wheel-dir", folder, "hatchling")
    subprocess.run(
        [sys.executable, *words, ROOT / "client", ROOT],
        env=os.environ,
        timeout=DOWNLOAD_S,
        check=True,
        capture_output=True,
    )
    for ours in folder.glob("token_broker*"):
        ours.unlink()  # what is installed is built from the clone
    return folder


@pytest.fixture
def carol(booted: Machine) -> Iterator[Account]:
    """Carol, who has logged in for the first time."""
    manager = f"user@{UIDS['carol']}.service"
    booted.run("root", "systemctl", "start", manager)
    account = Account(booted, "carol")
    yield account
    account.systemctl("stop", SOCKET_UNIT, SERVICE_UNIT, check=False)
    booted.run("root", "systemctl", "stop", manager)
    for entry in account.home.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


@pytest.fixture
def cloud(booted: Machine) -> Iterator[tuple[AzureDevOps, dict[str, str]]]:
    """The organisation acme behind the site's proxy, and the variables that lead there."""
    with ConnectProxy(shared_authority()) as proxy:
        (booted.root / CERTIFICATES).write_bytes(shared_authority().bundle.read_bytes())
        seen = {str(shared_authority().bundle): f"/{CERTIFICATES}"}
        made = AzureDevOps()
        made.attach(proxy)
        yield made, {name: seen.get(value, value) for name, value in proxy.environment({}).items()}


@pytest.fixture
def newcomer(carol: Account, cloud: tuple[AzureDevOps, dict[str, str]], wheels: Path) -> Iterator[Newcomer]:
    """Carol in a clone, on a machine with uv and az; nobody is signed in."""
    root = carol.machine.root
    shutil.copytree(wheels, root / WHEELS)
    (root / WHEELS).chmod(0o755)
    with AzureCli(root / "srv/azure") as az:
        az.install_for_others(Path("/srv/azure"))
        az.expect(USER, [TENANT])
        carol.machine.run("root", "chown", "-R", "carol", "/srv/azure")
        (root / "usr/local/bin/az").symlink_to("/srv/azure/bin/az")
        put_uv_on_path(carol)
        made = Newcomer(carol, cloud[1])
        made.clone()
        yield made
        sys.stdout.write(made.said)
    for place in ("usr/local/bin/az", "usr/local/bin/uv"):
        (root / place).unlink()


@pytest.mark.long
def test_who_follows_the_readme_has_a_feed_that_works_and_can_undo_it(
    newcomer: Newcomer, cloud: tuple[AzureDevOps, dict[str, str]]
) -> None:
    acme = cloud[0].organisation(
        "acme", tenant=TENANT, feeds={"corp": [wheel(name, "1.0") for name in PACKAGES]}
    )
    carol, begun = newcomer.account, time.monotonic()
    offline = {"UV_OFFLINE": "1", "UV_FIND_LINKS": f"/{WHEELS}"}
    install, *onwards, set_up = told("Install")
    *signing_in, asking = told("The first feed")
    for name, value in NAMES.items():
        asking = asking.replace(name, value)
    first, second, third = (asking.replace("PACKAGE", package) for package in PACKAGES)

    newcomer.types(install, more=offline)
    for line in onwards:
        newcomer.types(line)
    before = tree(carol.home, without=KEPT)
    said = newcomer.types(set_up).stdout
    idle = carol.show("ActiveState")
    for line in signing_in:
        newcomer.types(line)
    newcomer.types(first)
    took_s = time.monotonic() - begun

    assert (idle, carol.show("ActiveState")) == ("inactive", "active")
    assert took_s < PROMISED_S
    assert "Try it:" in said
    assert "Undo:    brokerctl teardown" in said

    newcomer.types(second)
    newcomer.types("brokerctl restart")
    newcomer.types(third)
    status = json.loads(newcomer.types("brokerctl status --json").stdout)

    assert status["pid"] == carol.pid()
    assert [(feed["account"], feed["usable"]) for feed in status["feeds"]] == [(USER, True)]
    assert len(acme.exchanges) == 2  # one for each life of the daemon

    [undo] = told("Upgrade and uninstall", 1)
    assert "uv tool uninstall token-broker" in undo
    newcomer.types(undo)

    assert carol.show("LoadState") == "not-found"
    assert tree(carol.home, without=KEPT) == before
    assert [place for place in PROGRAMS if (carol.home / place).exists()] == []
