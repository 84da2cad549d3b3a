"""One broker for a group of users, under a real systemd: who gets what, by the kernel, and by `allow`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.systemd.account import CONFIG, SERVICE_UNIT, SOCKET_UNIT
from tests.systemd.machine import UIDS, until
from tests.systemd.workstation import (
    CORP,
    CORP_TOKEN,
    FEEDS,
    SYSTEM_SOCKET,
    TOOLS,
    TOOLS_TOKEN,
    UNITS,
    Workstation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPOSURE_MAX = 1.4
NO_FEED = 404


@pytest.fixture
def shared(system_broker: Workstation) -> Workstation:
    """A workstation with a system broker, whatever the last test left."""
    if not system_broker.file(f"{UNITS}/{SOCKET_UNIT}").exists():
        system_broker.set_up_system_broker()
    return system_broker


def credential(url: str) -> str:
    return f"/v1/credential?url={url}"


def test_a_member_gets_the_feed_by_the_shim_and_its_secret_from_the_unit(shared: Workstation) -> None:
    answer = shared.look_up("alice")

    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, f"{CORP_TOKEN}\n", "")


def test_who_is_not_in_the_group_is_refused_by_the_kernel(shared: Workstation) -> None:
    assert shared.ask("bob", "GET", "/v1/status") == ("PermissionError", None)


def test_the_shim_of_who_is_not_in_the_group_passes_on(shared: Workstation) -> None:
    answer = shared.look_up("bob")

    assert (answer.exit_code, answer.stdout) == (1, "")


def test_a_member_without_allow_is_refused_and_told_who_can_change_that(shared: Workstation) -> None:
    status, problem = shared.ask("carol", "GET", credential(CORP))
    answer = shared.look_up("carol")

    assert (status, problem["type"], problem["feed"]) == (403, "not-allowed", "corp")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "carol may not use it: the administrator adds users and groups to `allow`" in answer.stderr


def test_a_user_may_be_named_without_a_group(shared: Workstation) -> None:
    assert shared.look_up("carol", TOOLS).stdout == f"{TOOLS_TOKEN}\n"


UPLOAD = "https://pkgs.dev.azure.com/acme/_packaging/f/pypi/upload/"


@pytest.fixture
def with_acme(shared: Workstation) -> Iterator[Workstation]:
    """The system broker has Alice's feed of Azure's, too, while the test runs and no longer."""
    index = UPLOAD.replace("upload", "simple")
    feed = f'[[feed]]\nname = "acme"\nurl = "{index}"\nallow = {{ users = ["alice"] }}\n'

    def is_known() -> bool:
        return shared.ask("root", "GET", credential(UPLOAD))[0] != NO_FEED

    def in_force(text: str, *, known: bool) -> None:  # a changed file is looked at twice before it is
        shared.file("etc/token-broker/system.toml").write_text(text)
        shared.root("systemctl", "reload", SERVICE_UNIT)
        until(lambda: is_known() == known, "the file in force")

    in_force(FEEDS + feed, known=True)
    yield shared
    in_force(FEEDS, known=False)


def test_what_can_publish_is_given_to_nobody(with_acme: Workstation) -> None:
    answers = [with_acme.ask(user, "GET", credential(UPLOAD)) for user in ("alice", "root")]

    assert [(status, problem["type"]) for status, problem in answers] == [(403, "not-allowed")] * 2
    assert "credentials that publish are not given out here" in answers[0][1]["detail"]


def test_orders_are_roots_and_the_refusal_says_so(shared: Workstation) -> None:
    shared.look_up("alice")
    answers = [
        shared.ask("alice", "POST", path)
        for path in ("/v1/feeds/corp/refresh", "/v1/feeds/corp/forget", "/v1/feeds/corp/login", "/v1/reload")
    ]
    status, feed = shared.ask("root", "POST", "/v1/feeds/corp/refresh")

    assert [status for status, _ in answers] == [403] * 4
    assert answers[0][1]["hint"] == "sudo brokerctl refresh corp"
    assert (status, feed["usable"]) == (200, True)


def test_status_shows_a_member_what_is_theirs(shared: Workstation) -> None:
    shared.look_up("alice")
    seen = {user: shared.ask(user, "GET", "/v1/status")[1] for user in ("alice", "carol")}

    assert "tools" not in [feed["name"] for feed in seen["alice"]["feeds"]]
    assert [feed["name"] for feed in seen["carol"]["feeds"]] == ["tools"]
    assert {lookup["uid"] for lookup in seen["carol"]["recent"]} <= {UIDS["carol"]}


def test_the_broker_sees_who_asked_and_not_nobody(shared: Workstation) -> None:
    shared.look_up("alice")

    assert shared.recent()[-1]["uid"] == UIDS["alice"]
    assert shared.root("systemctl", "show", "-P", "PrivateUsers", SERVICE_UNIT).stdout == "no\n"


def test_every_look_up_is_in_the_journal_and_no_secret_is(shared: Workstation) -> None:
    for user in ("alice", "carol"):
        shared.look_up(user)

    def both() -> bool:
        lines = [re.sub(r"pid=[0-9]+", "pid=N", line) for line in shared.audit()[-2:]]
        return lines == [
            f"lookup uid={UIDS['alice']} pid=N feed=corp outcome=hit",
            f"lookup uid={UIDS['carol']} pid=N feed=corp outcome=not-allowed",
        ]

    until(both, "two audit lines")
    journal = shared.root("journalctl", "--no-pager", "-u", SERVICE_UNIT).stdout
    assert CORP_TOKEN not in journal
    assert TOOLS_TOKEN not in journal


def test_the_service_has_no_privilege_and_reads_nobodys_files(shared: Workstation) -> None:
    shared.look_up("alice")
    pid = shared.root("systemctl", "show", "-P", "MainPID", SERVICE_UNIT).stdout.strip()
    status = shared.file(f"proc/{pid}/status").read_text()

    assert re.search(r"^CapEff:\s0+$", status, re.MULTILINE)
    assert f"Uid:\t{shared.root('id', '-u', 'token-broker').stdout.strip()}" in status
    assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)


def test_units_are_without_a_complaint_of_systemd_and_as_closed_as_promised(shared: Workstation) -> None:
    units = [f"/{UNITS}/{name}" for name in (SOCKET_UNIT, SERVICE_UNIT)]

    verified = shared.root("systemd-analyze", "verify", *units)
    judged = shared.root("systemd-analyze", "--no-pager", "security", SERVICE_UNIT).stdout

    assert verified.stdout + verified.stderr == ""
    reached = re.search(r"Overall exposure level for \S+: ([0-9.]+)", judged)
    assert reached is not None
    assert float(reached[1]) <= EXPOSURE_MAX


OWN = f"""[[feed]]
name = "mine"
url = "{CORP}"
provider = "command"
command = ["/bin/echo", "my-own"]
verify = false
"""


@pytest.fixture
def with_her_own(shared: Workstation) -> Iterator[Workstation]:
    """Alice has a broker of her own besides, which has the feed, too."""
    shared.run("alice", "sh", "-c", f"umask 77; mkdir -p .config/token-broker; echo '{OWN}' >{CONFIG}")
    shared.run("alice", "brokerctl", "start")
    yield shared
    shared.run("alice", "brokerctl", "stop")
    shared.run("alice", "rm", "-r", ".config/token-broker")


def test_a_users_own_feed_wins_and_status_and_doctor_say_which_broker_answers(
    with_her_own: Workstation,
) -> None:
    own, others = with_her_own.look_up("alice"), with_her_own.look_up("alice", TOOLS)
    status = with_her_own.run("alice", "brokerctl", "status").stdout
    as_json = json.loads(with_her_own.run("alice", "brokerctl", "status", "--json").stdout)
    doctor = with_her_own.run("alice", "brokerctl", "doctor", check=False).stdout

    assert own.stdout == "my-own\n"
    assert "tools: alice may not use it" in others.stderr
    assert "the system broker has no other feed for you" in status
    assert as_json["socket"] == f"/run/user/{UIDS['alice']}/token-broker/broker.sock"
    assert as_json["system"]["socket"] == SYSTEM_SOCKET
    assert "the system broker answers for corp" in doctor


def test_without_a_broker_of_ones_own_brokerctl_speaks_to_the_system_broker(shared: Workstation) -> None:
    status = shared.run("alice", "brokerctl", "status").stdout
    got = shared.run("alice", "brokerctl", "get", CORP).stdout
    explained = shared.run("alice", "brokerctl", "explain", CORP).stdout
    refused = shared.run("alice", "brokerctl", "refresh", "corp", check=False)
    ordered = shared.root("brokerctl", "refresh", "corp")

    assert status.startswith("token-broker of this machine ")
    assert got == f"{CORP_TOKEN}\n"
    assert re.search(r"^  feed +corp \(/etc/token-broker/system.toml line 2\)", explained, re.MULTILINE)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "only root may order a refresh from the system broker; run: sudo brokerctl refresh corp" in (
        refused.stderr
    )
    assert ordered.stdout == "corp: new token with no expiry\n"


@pytest.mark.long
def test_a_lost_socket_is_told_with_the_line_that_makes_it_anew(shared: Workstation) -> None:
    shared.look_up("alice")  # the broker runs
    shared.root("rm", SYSTEM_SOCKET)

    told = until(lambda: re.search(r"socket_lost .* run: sudo (.*)", shared.log()), "the line")
    shared.root(*told[1].split())

    assert shared.look_up("alice").stdout == f"{CORP_TOKEN}\n"


@pytest.mark.long
def test_opening_the_socket_is_in_the_plan_until_it_is_open(shared: Workstation) -> None:
    again = shared.root("brokerctl", "setup", "--system", "--dry-run").stdout
    shared.root("systemctl", "stop", SOCKET_UNIT, SERVICE_UNIT)
    closed = shared.root("brokerctl", "setup", "--system", "--dry-run").stdout
    shared.root("brokerctl", "setup", "--system")

    assert again == "everything is set up already\n"
    assert closed == f" would start  {SOCKET_UNIT}, and make its user\n"


@pytest.mark.long
def test_teardown_undoes_the_set_up_but_for_what_an_administrator_wrote(shared: Workstation) -> None:
    shared.root("brokerctl", "teardown", "--system")

    assert not shared.file("run/token-broker/broker.sock").exists()
    assert [each.name for each in shared.file(UNITS).glob("token-broker*")] == [f"{SERVICE_UNIT}.d"]
    assert shared.file("etc/token-broker/system.toml").read_text() == FEEDS
