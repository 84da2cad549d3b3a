"""What a member of the group cannot do to the system broker: starve another, or stay after leaving."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

import pytest

from tests.e2e.patience import until
from tests.systemd.workstation import ASK, CORP, SYSTEM_SOCKET, TOOLS, Workstation

pytestmark = pytest.mark.long

PROGRAM = "/usr/local/bin/flood.py"
TARGET = f"/v1/credential?url={TOOLS}"
TIMES = 300
QUIET_FACTOR = 5
P99_MAX_S = 0.02

STAY = f"""
{ASK.partition("try:")[0]}
print("here", flush=True)
for _ in sys.stdin:
    print(ask({SYSTEM_SOCKET!r}, "GET", "/v1/credential?url={CORP}")[0], flush=True)
"""
"""A login that stays, with the groups it had when it began, and asks whenever it is told to."""


@pytest.fixture(scope="module")
def shared(system_broker: Workstation) -> Workstation:
    """A workstation with a system broker, and the program that floods it."""
    text = Path(__file__).with_name("flood.py").read_text()
    system_broker.file(PROGRAM.removeprefix("/")).write_text(text)
    return system_broker


def p99_s(shared: Workstation) -> float:
    argv = (shared.bin / "python", "-I", PROGRAM, "ask", SYSTEM_SOCKET, TARGET, str(TIMES))
    took_s: list[float] = json.loads(shared.run("carol", *argv).stdout)
    return statistics.quantiles(took_s, n=100)[98]


def start(shared: Workstation, user: str, *argv: str | Path) -> subprocess.Popen[str]:
    """Start a command that this user talks to."""
    return subprocess.Popen(
        shared.machine.command(user, argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_flood_of_connections_by_one_member_costs_another_next_to_nothing(shared: Workstation) -> None:
    p99_s(shared)
    quiet_s = p99_s(shared)

    flood = (shared.bin / "python", "-I", PROGRAM, "flood", SYSTEM_SOCKET)
    with start(shared, "alice", "prlimit", "--nofile=20000", *flood) as attack:
        assert attack.stdout is not None
        attack.stdout.readline()
        flooded_s = p99_s(shared)
        given, _ = attack.communicate("enough\n", timeout=60)

    assert int(given) >= 10_000
    assert flooded_s <= max(P99_MAX_S, QUIET_FACTOR * quiet_s), f"{flooded_s:.4f} s, quiet {quiet_s:.4f} s"


def test_who_left_the_group_is_refused_within_a_minute_although_the_login_has_it_still(
    shared: Workstation,
) -> None:
    with start(shared, "alice", shared.bin / "python", "-I", "-c", STAY) as login:
        assert login.stdin is not None
        assert login.stdout is not None
        login.stdout.readline()

        def asked() -> str:
            assert login.stdin is not None
            assert login.stdout is not None
            login.stdin.write("\n")
            login.stdin.flush()
            return login.stdout.readline().strip()

        assert asked() == "200"
        for group in ("developers", "feed-users"):
            shared.root("gpasswd", "--delete", "alice", group)
        try:
            until(lambda: asked() == "403", "refusal", patience_s=60)
            assert asked() == "403"
            login.communicate(timeout=60)
        finally:
            for group in ("developers", "feed-users"):
                shared.root("gpasswd", "--add", "alice", group)
