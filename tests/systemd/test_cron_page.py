"""The crontab of docs/clients.md is installed for alice, and Debian's cron runs its lines."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import PackageIndex
from tests.fakes.loopback import WebServer
from tests.fakes.wheels import wheel
from tests.pages import told
from tests.systemd.account import CONFIG
from tests.systemd.installation import UV
from tests.systemd.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systemd.account import Account

pytestmark = pytest.mark.long

CRON = "/usr/sbin/cron"
SPOOL = "/var/spool/cron"
PASSWORD = "sesame-of-the-index"
NEXT_MINUTES_S = 150.0
PROJECT = """[project]
name = "app"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["demo-package"]

[[tool.uv.index]]
name = "corp"
url = "{index}"
default = true
"""
FEED = """[[feed]]
name = "corp"
url = "{feed}"
provider = "command"
command = ["/bin/echo", "{password}"]
verify = false
"""


@pytest.fixture
def index() -> Iterator[str]:
    with WebServer(PackageIndex([wheel("demo-package", "1.0")], passwords=[PASSWORD])) as server:
        yield f"{server.url}/simple/"


@pytest.fixture
def cron(alice: Account) -> Iterator[Account]:
    """Cron runs, with a spool of the machine's own."""
    if not shutil.which(CRON):
        pytest.skip("needs Debian's cron")
    root = alice.machine
    root.run(
        "root", "sh", "-c", f"mount -t tmpfs tmpfs {SPOOL} && install -d -m 1730 -g crontab {SPOOL}/crontabs"
    )
    running = subprocess.Popen(root.command("root", [CRON, "-f"]), stderr=subprocess.DEVNULL)
    yield alice
    root.run("root", "pkill", "-x", "cron")
    running.wait()
    root.run("root", "umount", SPOOL)


def test_the_pages_crontab_syncs_a_project_and_runs_a_wrapped_command(cron: Account, index: str) -> None:
    table = told("clients", "Does it work in cron and in an editor?", kind="text")
    for page, here in (("/home/me", "/home/alice"), ("/srv/app", "/home/alice/app")):
        table = table.replace(page, here)
    for often in ("@daily", "@hourly"):
        table = table.replace(often, "* * * * *")
    named = index.replace("://", "://user@")
    cron.write(CONFIG, FEED.format(feed=index, password=PASSWORD), 0o600)
    cron.write("app/pyproject.toml", PROJECT.format(index=named))
    cron.write("app/install", f"#!/bin/sh\nkeyring get {index} user >/home/alice/app/answer\n", 0o755)
    cron.brokerctl("setup")
    for name, target in (("uv", UV), ("brokerctl", cron.bin / "brokerctl")):
        cron.run("ln", "-sf", target, f".local/bin/{name}")
    path = {"PATH": "/home/alice/.local/bin:/usr/bin:/bin"}
    cron.run("sh", "-c", "cd app && uv lock -q", environment=path)

    cron.run("crontab", "-", stdin=table)

    answer, synced = cron.home / "app/answer", cron.home / "app/.venv"
    until(lambda: answer.exists() and answer.read_text(), "the wrapped command", NEXT_MINUTES_S)
    until(lambda: list(synced.rglob("demo_package*")), "the project's packages", NEXT_MINUTES_S)
    assert answer.read_text() == f"{PASSWORD}\n"
