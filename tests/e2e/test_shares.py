"""Shares with the real daemon, the real tool, the real shim, and a container's namespaces around it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.container import Container
from tests.e2e.household import PLAIN_FEED, PLAIN_PASSWORD, SHIM
from tests.e2e.patience import PATIENCE_S, until
from tests.e2e.test_attacks import P99_S, TIMES_QUIET, p99_s
from tests.host.users import STRANGER, run_as, two_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.brokerd import Brokerd
    from tests.e2e.household import Household
    from tests.fakes.clients import Outcome

BROKERCTL = Path(sysconfig.get_path("scripts")) / "brokerctl"
LABS = "https://labs.example/simple/"
ENDED = "the share dev has ended: renew it on the machine that shares"
RENEWAL = "brokerctl share --feed plain --for 1s --name dev"
ASK = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(sys.argv[1])
except OSError as error:
    sys.exit(print(error.strerror))
client.sendall(b"GET /v1/credential?url=" + sys.argv[2].encode() + b" HTTP/1.1\\r\\nHost: broker\\r\\n"
    b"Accept: text/plain\\r\\nConnection: close\\r\\n\\r\\n")
answer = b""
while piece := client.recv(65536):
    answer += piece
print(answer.decode().partition("\\r\\n\\r\\n")[2])
"""


@pytest.fixture
def served(house: Household) -> Iterator[Brokerd]:
    """A household with two feeds and its daemon."""
    house.configure("auto = false\n" + house.plain_feed() + house.plain_feed("labs", url=LABS))
    with house.forked_brokerd() as broker:
        yield broker


def brokerctl(house: Household, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [BROKERCTL, *words],
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def share(house: Household, *words: str, life: str = "8h") -> str:
    """`brokerctl share` for the plain feed, under the name dev; what it prints."""
    return brokerctl(house, "share", *(words or ("--feed", "plain", "--for", life, "--name", "dev"))).stdout


def folder_of(house: Household) -> Path:
    return house.socket.parent / "shares" / "dev"


def refusal(inside: Container) -> Outcome | None:
    """What a container is told that gets no answer; None while it gets one."""
    told = inside.keyring(PLAIN_FEED)
    return told if told.exit_code else None


def container(house: Household) -> Container:
    return Container(folder_of(house), house.folder / "container", SHIM, house.environment)


@pytest.mark.usefixtures("served")
def test_container_gets_what_is_shared_and_is_sent_on_with_the_rest(house: Household) -> None:
    printed = share(house)

    with container(house) as inside:
        shared, other = inside.keyring(PLAIN_FEED), inside.keyring(LABS)

    assert f"-v {folder_of(house)}:/run/broker:ro" in printed
    assert (shared.exit_code, shared.stdout, shared.stderr) == (0, f"{PLAIN_PASSWORD}\n", "")
    assert (other.exit_code, other.stdout, other.stderr) == (1, "", "")


def test_container_goes_on_through_the_end_a_renewal_and_a_restart_of_the_daemon(
    house: Household, served: Brokerd
) -> None:
    share(house, life="1s")
    with container(house) as inside:
        ended = until(lambda: refusal(inside), "end of the share")
        share(house)
        renewed = inside.keyring(PLAIN_FEED)
        served.end()
        served.start()
        until(served.wire.serves, "answer of the next daemon")
        restarted = inside.keyring(PLAIN_FEED)
        share(house, "--end", "dev")
        revoked = inside.keyring(PLAIN_FEED)
        share(house)
        again = inside.keyring(PLAIN_FEED)

    assert ended is not None
    assert ended.stdout == ""
    assert ended.stderr == f"token-broker: plain: {ENDED}; run: {RENEWAL}\n"
    assert [each.stdout for each in (renewed, restarted, again)] == [f"{PLAIN_PASSWORD}\n"] * 3
    renewal = RENEWAL.replace("1s", "8h")
    assert (revoked.exit_code, revoked.stdout) == (1, "")
    assert revoked.stderr == f"token-broker: plain: {ENDED}; run: {renewal}\n"


@pytest.mark.long
def test_container_of_a_broker_that_was_stopped_names_what_starts_it(
    house: Household, served: Brokerd
) -> None:
    share(house)
    with container(house) as inside:
        served.end()
        stopped = inside.keyring(PLAIN_FEED)
        hint = stopped.stderr.rstrip("\n").partition("run: ")[2]
        brokerctl(house, *hint.split()[1:])
        answered = inside.keyring(PLAIN_FEED)
        brokerctl(house, "stop")

    assert (stopped.exit_code, stopped.stdout, hint) == (1, "", "brokerctl start")
    assert "is a share, whose broker is not running; on the machine that shares it, run: " in stopped.stderr
    assert answered.stdout == f"{PLAIN_PASSWORD}\n"


@two_users
@pytest.mark.usefixtures("served")
def test_another_user_is_refused_by_the_modes_and_where_they_were_opened_by_the_uid(house: Household) -> None:
    share(house)
    socket = folder_of(house) / "broker.sock"
    by_modes = run_as(STRANGER, ASK, str(socket), PLAIN_FEED)
    opened = [each for each in socket.parents if each.is_relative_to(house.folder)]
    for each in opened:
        each.chmod(0o711)
    socket.chmod(0o666)

    by_uid = run_as(STRANGER, ASK, str(socket), PLAIN_FEED)

    assert by_modes == "Permission denied"
    assert by_uid.startswith(f"plain: the share dev is for uid 0, and you are uid {STRANGER}")
    assert PLAIN_PASSWORD not in by_uid


@pytest.mark.long
@pytest.mark.usefixtures("served")
def test_status_and_list_show_the_share(house: Household) -> None:
    share(house)

    assert "\nshare dev: plain, 7 h 59 min left\n" in brokerctl(house, "status").stdout
    assert share(house, "--list").startswith("share dev: plain, 7 h 59 min left\n  folder  ")


HAMMER = """
import selectors, socket, sys
waiting = selectors.DefaultSelector()
for _ in range(16):
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    waiting.register(client, selectors.EVENT_READ)
    client.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: broker\\r\\n\\r\\n")
waiting.register(sys.stdin, selectors.EVENT_READ)
print("begun", flush=True)
while sys.stdin not in (ready := [key.fileobj for key, _ in waiting.select()]):
    for client in ready:
        client.recv(65536)
        client.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: broker\\r\\n\\r\\n")
"""
"""Asks for the dearest page there is on every connection that a share has, as fast as it comes."""


@pytest.mark.long
def test_container_that_asks_without_end_costs_its_owner_next_to_nothing(
    house: Household, served: Brokerd
) -> None:
    share(house)
    p99_s(served)
    quiet_s = p99_s(served)

    command = [sys.executable, "-I", "-c", HAMMER, str(folder_of(house) / "broker.sock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hammer:
        assert hammer.stdout is not None
        assert hammer.stdout.readline() == "begun\n"
        hammered_s = p99_s(served)
        hammer.communicate("enough\n", timeout=PATIENCE_S)

    sys.stdout.write(f"p99 {quiet_s * 1000:.1f} ms quiet, {hammered_s * 1000:.1f} ms hammered\n")
    assert hammer.returncode == 0
    assert hammered_s <= max(P99_S, TIMES_QUIET * quiet_s)


def test_private_broker_shares_too_and_leaves_nothing(house: Household) -> None:
    house.configure("auto = false\n" + house.plain_feed())

    done = brokerctl(house, "exec", "--", "sh", "-c", SHARE_AND_ASK, "sh", str(BROKERCTL), PLAIN_FEED)

    password, folder = done.stdout.split()
    assert password == PLAIN_PASSWORD
    assert not Path(folder).exists()


SHARE_AND_ASK = """
folder=${TOKEN_BROKER_SOCKET%/*}/shares/plain
"$1" share --feed plain > /dev/null 2>&1
TOKEN_BROKER_SOCKET=$folder/broker.sock keyring get "$2" ci && echo "$folder"
"""
