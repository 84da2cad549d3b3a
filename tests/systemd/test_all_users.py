"""A broker of their own for every user of a workstation, set up once by root."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.wheels import wheel
from tests.systemd.account import SERVICE_UNIT, SOCKET_UNIT
from tests.systemd.installation import UV
from tests.systemd.machine import UIDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.workstation import Workstation

SITE = "etc/token-broker/config.toml"
FEED = "https://site.example/simple/"
SITES = f"""
later_key = "of a version to come"

[[feed]]
name = "site"
url = "{FEED}"
provider = "command"
command = ["/bin/echo", "the-sites"]
verify = false
"""


PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
"""That of a login."""

ADMINISTRATORS = {"PATH": "/usr/local/bin:/opt/token-broker/bin:/usr/bin:/bin"}


@pytest.fixture(scope="module")
def site(workstation: Workstation) -> Iterator[Workstation]:
    """A workstation that was set up for all users, who have logged in since."""
    workstation.root("brokerctl", "setup", "--all-users")
    workstation.file(SITE).parent.mkdir(exist_ok=True)
    workstation.file(SITE).write_text(SITES)
    managers = [f"user@{UIDS[user]}.service" for user in ("alice", "bob")]
    workstation.root("systemctl", "restart", *managers)
    yield workstation
    workstation.file(SITE).unlink()
    workstation.root("brokerctl", "teardown", "--all-users")
    workstation.root("systemctl", "restart", *managers)


def get(site: Workstation, user: str) -> str:
    return site.run(user, "keyring", "get", FEED, "user", environment=PATH).stdout


def state(site: Workstation, user: str, unit: str) -> str:
    return site.run(user, "systemctl", "--user", "show", "-P", "ActiveState", unit).stdout.strip()


def test_who_never_asks_has_a_socket_and_no_process(site: Workstation) -> None:
    site.run("bob", "systemctl", "--user", "stop", SERVICE_UNIT)
    get(site, "alice")

    assert (state(site, "bob", SOCKET_UNIT), state(site, "bob", SERVICE_UNIT)) == ("active", "inactive")
    assert site.root("pgrep", "-u", "bob", "-f", "brokerd", check=False).exit_code == 1
    assert site.root("pgrep", "-u", "alice", "-f", "brokerd").stdout


def test_the_first_look_up_starts_ones_own_broker_with_the_sites_feeds(site: Workstation) -> None:
    assert get(site, "bob") == "the-sites\n"

    pid = site.run("bob", "systemctl", "--user", "show", "-P", "MainPID", SERVICE_UNIT).stdout.strip()
    assert f"\nUid:\t{UIDS['bob']}\t" in site.file(f"proc/{pid}/status").read_text()


def test_ones_own_configuration_is_laid_over_the_sites(site: Workstation) -> None:
    site.run("bob", "systemctl", "--user", "stop", SERVICE_UNIT)
    own = '[[feed]]\nname = "site"\ncommand = ["/bin/echo", "my-own"]\n'
    site.run(
        "bob",
        "sh",
        "-c",
        f"umask 077; mkdir -p .config/token-broker; echo '{own}' >.config/token-broker/config.toml",
    )

    answers = [get(site, user) for user in ("bob", "alice")]
    site.run("bob", "rm", "-r", ".config/token-broker")
    site.run("bob", "systemctl", "--user", "stop", SERVICE_UNIT)

    assert answers == ["my-own\n", "the-sites\n"]


@pytest.mark.long
def test_uv_asks_without_anything_in_the_users_own_settings(site: Workstation) -> None:
    password = "the-sites"
    with WebServer(PackageIndex([wheel("demo-package", "1.0")], passwords=[password])) as server:
        feed = f"{server.url}/simple/"
        site.file(SITE).write_text(SITES.replace(FEED, feed))
        site.run("alice", "systemctl", "--user", "stop", SERVICE_UNIT)
        try:
            site.run(
                "alice", UV, "venv", "--quiet", "--python", site.bin / "python", "project", environment=PATH
            )
            index = feed.replace("://", "://user@")
            installed = site.run(
                "alice",
                UV,
                "pip",
                "install",
                "--python",
                "project",
                "--index-url",
                index,
                "demo-package",
                environment=PATH,
            )
        finally:
            site.file(SITE).write_text(SITES)
            site.run("alice", "systemctl", "--user", "stop", SERVICE_UNIT)

    assert "demo-package==1.0" in installed.stderr


def test_units_are_without_a_complaint_of_systemd(site: Workstation) -> None:
    units = [f"/etc/systemd/user/{name}" for name in (SOCKET_UNIT, SERVICE_UNIT)]

    verified = site.run("alice", "systemd-analyze", "--user", "verify", *units)

    assert verified.stdout + verified.stderr == ""


def test_the_preset_says_what_the_set_up_did(site: Workstation) -> None:
    said = site.root("systemctl", "--global", "is-enabled", SOCKET_UNIT).stdout.strip()

    assert said == "enabled"


def test_the_doctor_finds_nothing_wrong(site: Workstation) -> None:
    get(site, "bob")

    seen = site.run("bob", "brokerctl", "doctor", environment=ADMINISTRATORS, check=False).stdout

    assert "\N{BALLOT X}" not in seen


def test_a_plain_user_is_told_to_ask_for_root(site: Workstation) -> None:
    refused = site.run("alice", "brokerctl", "setup", "--all-users", check=False)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "sudo brokerctl setup --all-users" in refused.stderr


def test_a_status_is_of_ones_own_broker(site: Workstation) -> None:
    get(site, "alice")

    seen = json.loads(site.run("alice", "brokerctl", "status", "--json").stdout)

    assert seen["socket"] == f"/run/user/{UIDS['alice']}/token-broker/broker.sock"
