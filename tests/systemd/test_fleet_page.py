"""docs/fleet.md is typed by root: the three commands, the playbook by Ansible, the file for idle brokers."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.pages import told
from tests.systemd.account import SERVICE_UNIT
from tests.systemd.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.administrator import Administrator

pytestmark = pytest.mark.long

FLEET = "A thousand workstations"
IDLE = "How does an idle broker end?"
FEED = "https://site.example/simple/"
SITE = f"""[[feed]]
name = "site"
url = "{FEED}"
provider = "command"
command = ["id", "-un"]
verify = false
"""
DROP_IN = "etc/systemd/user/token-broker.service.d/idle.conf"
INVENTORY = "[workstations]\nlocalhost ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
PLAY = (
    "PYTHONPATH=/srv/ansible ANSIBLE_LOCAL_TEMP=/run/ansible ANSIBLE_REMOTE_TEMP=/run/ansible "
    "/usr/bin/python3 -m ansible.cli.playbook -i inventory play.yml"
)
DOWNLOAD_S = 600


@pytest.fixture(params=["the three commands", "Ansible"])
def fleet(administrator: Administrator, request: pytest.FixtureRequest) -> Iterator[Administrator]:
    """A machine of the fleet, set up as the page says."""
    root = administrator
    root.writes("srv/site.toml", SITE)
    if request.param == "Ansible":
        ansible(root)
    else:
        root.types(told("fleet", FLEET))
    root.logs_in_anew()
    yield root
    root.types(
        "/opt/token-broker/bin/brokerctl teardown --all-users; rm -r /etc/token-broker /opt/token-broker"
    )
    root.types(f"rm -rf /{DROP_IN.rpartition('/')[0]} /var/tmp/token-broker-wheels")
    root.logs_in_anew()


def ansible(root: Administrator) -> None:
    """Play the page's playbook, twice, as a management tool does at every check-in."""
    target = root.machine.root / "srv/ansible"
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "ansible-core<2.20")
    subprocess.run(install, check=True, capture_output=True, timeout=DOWNLOAD_S)
    root.writes("srv/play.yml", told("fleet", FLEET, kind="yaml"))
    root.writes("srv/inventory", INVENTORY)
    for _ in range(2):
        assert "failed=0" in root.types(PLAY).stdout


def test_each_user_has_the_sites_feed_after_the_next_login(fleet: Administrator) -> None:
    assert [fleet.keyring(user, FEED).stdout for user in ("alice", "bob")] == ["alice\n", "bob\n"]


def test_idle_broker_ends_by_the_file_of_the_page_and_the_next_look_up_starts_one(
    administrator: Administrator,
) -> None:
    root = administrator
    root.writes("srv/site.toml", SITE)
    root.types(told("fleet", FLEET))
    text = told("fleet", IDLE, kind="ini")
    root.writes(DROP_IN, text.replace("2h", "2s"))
    root.logs_in_anew()

    def shown(name: str) -> str:
        show = ("systemctl", "--user", "show", "--value", f"--property={name}", SERVICE_UNIT)
        return root.machine.run("alice", *show).stdout.strip()

    first = root.keyring("alice", FEED)
    words = shown("ExecStart")
    until(lambda: shown("ActiveState") == "inactive", "end of the idle broker")
    again = root.keyring("alice", FEED)
    root.types(
        "/opt/token-broker/bin/brokerctl teardown --all-users; rm -r /etc/token-broker /opt/token-broker"
    )
    root.types(f"rm -r /{DROP_IN.rpartition('/')[0]}")
    root.logs_in_anew()

    assert text.count("--idle-exit 2h") == 1
    assert "--idle-exit 2s" in words
    assert (first.stdout, again.stdout) == ("alice\n", "alice\n")
