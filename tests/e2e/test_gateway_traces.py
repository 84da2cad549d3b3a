"""The token is in no memory, environment, command line or file of a command behind the gateway; and what ends
it outright leaves nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.behind_gateway import Behind, behind_gateway
from tests.e2e.household import PACKAGE, PLAIN_FEED, PLAIN_HOST, PLAIN_PASSWORD
from tests.e2e.patience import until
from tests.e2e.traces import Search
from tests.fakes.clients import PYTHON, UV
from tests.fakes.http1 import Answer, Held, Request
from tests.processes import in_proc, kill

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc"),
]

SERVERS = ("broker.gateway.gateway_main", "brokerd")


@pytest.fixture
def behind() -> Iterator[Behind]:
    with behind_gateway() as made:
        yield made


def processes_of(behind: Behind) -> list[int]:
    """Every process of the household that its user may look into, but for broker and gateway."""
    inhabitants = Search([str(behind.house.home)]).processes()
    pids = {int(Path(place).parent.name) for place in inhabitants if place.endswith("environ")}
    return sorted(pid for pid in pids if not any(name in command_line(pid) for name in SERVERS))


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def memory_of(pid: int) -> Iterator[bytes]:
    """What is in each readable part of a process's memory map; nothing of one that has ended."""
    with contextlib.ExitStack() as files:
        try:
            maps = files.enter_context(Path(f"/proc/{pid}/maps").open())
            memory = files.enter_context(Path(f"/proc/{pid}/mem").open("rb", buffering=0))
        except (FileNotFoundError, ProcessLookupError):
            return
        for line in maps:
            place, modes, *_ = line.split()
            if not modes.startswith("r") or "[v" in line:
                continue
            begin, end = (int(number, 16) for number in place.split("-"))
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, OverflowError):
                continue


CLIENTS: dict[str, list[str | Path]] = {
    "uv": [UV, "pip", "install", "--no-cache", "--index-url", PLAIN_FEED, "--target", "in", PACKAGE.name],
    "pip": [
        *(PYTHON, "-m", "pip", "--no-input", "install", "--no-cache-dir", "--index-url", PLAIN_FEED),
        *("--target", "in", PACKAGE.name),
    ],
    "curl": ["curl", "-fsS", "-o", "out.whl", f"{PLAIN_FEED}-/files/{PACKAGE.filename}"],
}


@pytest.mark.parametrize(
    "client", ["curl", *(pytest.param(each, marks=pytest.mark.long) for each in ("uv", "pip"))]
)
@pytest.mark.parametrize("planted", [False, True])
@pytest.mark.xdist_group("planted token")  # the one must not see what the other plants
def test_token_is_nowhere_in_a_client_at_work(
    behind: Behind, tmp_path: Path, client: str, *, planted: bool
) -> None:
    """The control hands the token to the client, in a variable, and must find it."""
    asked, go_on = threading.Event(), threading.Event()
    packages = behind.house.packages

    def hold(request: Request) -> Answer:
        if not request.path.endswith(".whl"):
            return packages(request)
        asked.set()
        return Held(go_on, lambda: packages(request))

    behind.house.proxy.route(PLAIN_HOST, hold)
    search = Search([PLAIN_PASSWORD])
    more = {"PLANTED": f"x={PLAIN_PASSWORD}"} if planted else {}
    with subprocess.Popen(
        behind.words(*CLIENTS[client]),
        cwd=tmp_path,
        env={**behind.environment, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        try:
            assert asked.wait(60)
            pids = processes_of(behind)
            in_memory = [command_line(pid) for pid in pids if any(map(search.is_in, memory_of(pid)))]
            shown = search.processes()
            looked_at = [pid for pid in pids if command_line(pid)]  # it is there still, so it was there
        finally:
            go_on.set()
        said, _ = running.communicate(timeout=60)

    assert running.returncode == 0, said
    assert len(looked_at) >= 2
    assert (in_memory != []) == planted
    assert (shown != []) == planted
    assert not search.is_in(said)
    assert search.files(tmp_path) == []
    kept = behind.house.home / "plain.secret"  # where the broker has it from
    assert search.files(behind.house.folder) == [str(kept)]


def test_memory_of_the_gateway_is_closed(behind: Behind, tmp_path: Path) -> None:
    script = f"curl -fsS {PLAIN_FEED} >/dev/null && pgrep -P $PPID -f 'gateway_mai[n]'"

    with subprocess.Popen(
        behind.words("sh", "-c", f"{script}; read -r _"),
        cwd=tmp_path,
        env=behind.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        owner = Path(f"/proc/{pid}/mem").stat().st_uid
        limits = Path(f"/proc/{pid}/limits").read_text()
        shown = command_line(pid)
        running.communicate("\n", timeout=30)

    assert owner == 0  # root's: what the kernel makes of a process that is not dumpable
    assert "Max core file size        0                    0" in limits
    assert shown.split()[1:] == ["-E", "-P", "-m", "broker.gateway.gateway_main"]


def end_outright(behind: Behind, tmp_path: Path, whom: str, after_s: float) -> None:
    """Kill one of the four at a moment, and see that nothing of the run is left."""
    running = subprocess.Popen(
        behind.words(
            "sh", "-c", 'echo "$HTTPS_PROXY"; while :; do curl -sS -o out "$0" || sleep 0.1; done', PLAIN_FEED
        ),
        cwd=tmp_path,
        env=behind.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        threading.Event().wait(after_s)
        victim = find(whom, running.pid)
        if victim is not None:
            kill([victim])
        if whom != "exec":
            running.terminate()
        running.wait(30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        said = running.stdout.read() if running.stdout is not None else b""
        running.communicate()
    port = int(said.rpartition(b":")[2]) if b":" in said else None
    runtime = behind.house.folder / "run"
    until(lambda: [each.name for each in runtime.glob("token-broker-*")] == [], "removal of the folder", 60)
    until(lambda: of_this_run(behind) == [], "end of every process", 60)
    assert port is None or not listens(port)


def of_this_run(behind: Behind) -> list[str]:
    inhabitants = Search([str(behind.house.home)]).processes()
    lines = {command_line(int(Path(place).parent.name)) for place in inhabitants}
    return [line for line in lines if "gateway_main" in line or "--socket" in line]


def find(whom: str, exec_pid: int) -> int | None:
    """The victim's process id, as far as there is one yet."""
    if whom == "exec":
        return exec_pid
    words = {"gateway": "gateway_main", "broker": "--socket", "command": "while :; do"}[whom]
    for pid, started in in_proc("cmdline"):
        line = started.replace(b"\0", b" ").decode(errors="replace")
        if pid != exec_pid and words in line and "brokerctl" not in line and is_below(pid, exec_pid):
            return pid
    return None


def is_below(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return pid == ancestor


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


VICTIMS = ("command", "gateway", "broker", "exec")


@pytest.mark.parametrize(
    "whom",
    ["gateway", *(pytest.param(each, marks=pytest.mark.long) for each in ("exec", "command", "broker"))],
)
def test_whoever_is_killed_leaves_nothing(tmp_path: Path, whom: str) -> None:
    with behind_gateway(runs_broker=False) as behind:
        end_outright(behind, tmp_path, whom, 2.5)


@pytest.mark.long
def test_a_hundred_kills_at_random_moments_leave_nothing(tmp_path: Path) -> None:
    chance = random.Random(21)  # noqa: S311 - moments, not secrets
    with behind_gateway(runs_broker=False) as behind:
        for _ in range(100):
            end_outright(behind, tmp_path, chance.choice(VICTIMS), chance.uniform(0.05, 3.0))
