"""docs/workstation.md is typed by root on a machine with three users, and they have what the page says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages import told
from tests.systemd.machine import UIDS
from tests.systemd.workstation import ASK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.administrator import Administrator

pytestmark = pytest.mark.long

INSTALL = "How does an administrator install it?"
WHICH = "One broker each, or one for a group?"
SECRET = "Where is the group's secret?"
FEED = "https://artifactory.example.com/artifactory/api/pypi/corp/simple/"
OWN = "https://site.example/simple/"
SITE = (
    f'[[feed]]\nname = "site"\nurl = "{OWN}"\nprovider = "command"\ncommand = ["id", "-un"]\nverify = false\n'
)
TOKEN = "token-of-the-group"
EDITOR = '#!/bin/sh\ncp /srv/drop-in "$1"\n'
UNINSTALL = "UV_TOOL_DIR=/opt/token-broker UV_TOOL_BIN_DIR=/usr/local/bin uv tool uninstall token-broker"


@pytest.fixture(scope="module")
def page(administrator: Administrator) -> Iterator[Administrator]:
    """A machine on which root has typed the whole page."""
    root = administrator
    root.writes("srv/drop-in", told("workstation", SECRET, kind="ini"))
    root.writes("srv/editor", EDITOR, 0o755)
    root.writes("srv/corp-token.txt", TOKEN)
    root.types(told("workstation", INSTALL))
    root.types(told("workstation", WHICH))
    root.writes("etc/token-broker/config.toml", SITE)
    root.writes("etc/token-broker/system.toml", told("workstation", WHICH, kind="toml"))
    root.types("groupadd --force developers; usermod -aG developers alice")
    root.types(told("workstation", WHICH, 1))
    root.types("usermod -aG feed-users carol")
    root.types(told("workstation", SECRET))
    root.types("sudo systemctl restart token-broker.service")
    root.logs_in_anew()
    yield root
    root.types("brokerctl teardown --system; brokerctl teardown --all-users; rm -r /etc/token-broker")
    root.types(f"rm -r /etc/systemd/system/token-broker.service.d; {UNINSTALL}")
    root.logs_in_anew()


def test_each_user_has_a_broker_of_their_own_over_the_sites_configuration(page: Administrator) -> None:
    assert [page.keyring(user, OWN).stdout for user in ("alice", "bob")] == ["alice\n", "bob\n"]


def test_a_user_does_not_reach_the_others_broker(page: Administrator) -> None:
    page.keyring("alice", OWN)
    path = f"/run/user/{UIDS['alice']}/token-broker/broker.sock"

    asked = page.machine.run("bob", "/usr/bin/python3", "-I", "-c", ASK, path, "GET", "/v1/status")

    assert asked.stdout == '["PermissionError", null]\n'


def test_the_group_gets_the_secret_that_the_unit_loads_and_no_one_else_does(page: Administrator) -> None:
    answers = {user: page.keyring(user, FEED) for user in ("alice", "bob", "carol")}

    assert answers["alice"].stdout == f"{TOKEN}\n"
    assert (answers["bob"].exit_code, answers["bob"].stdout) == (1, "")
    assert (answers["carol"].exit_code, answers["carol"].stdout) == (1, "")
    assert "carol may not use it" in answers["carol"].stderr


def test_the_line_of_the_page_shows_who_asked(page: Administrator) -> None:
    page.keyring("alice", FEED)
    page.types("journalctl --sync")

    audit = page.types("journalctl -u token-broker.service | grep broker.audit").stdout

    assert f"lookup uid={UIDS['alice']} " in audit
    assert TOKEN not in audit


def test_status_names_the_system_broker(page: Administrator) -> None:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}

    seen = page.machine.run("alice", "brokerctl", "status", environment=environment, check=False)

    assert "the system broker has corp for you" in seen.stdout
