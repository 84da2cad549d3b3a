"""Peers whom the kernel cannot name to the daemon: refused at its own door, and told apart in the log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SERVER = """
import asyncio, logging, socket, sys
sys.path.insert(0, sys.argv[2])
from broker.server.acceptor import Acceptor
from broker.server.limits import Limits
from broker.server.listener_spec import ours_or_root

class Heard(logging.Handler):
    def emit(self, record):
        sys.exit(print(record.getMessage()))

async def main():
    logging.getLogger("broker.host.door").addHandler(Heard())
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1])
    listening.listen()
    Acceptor(
        listening,
        Limits(),
        admits=ours_or_root,
        make_protocol=lambda peer, leave: sys.exit(print("let in")),
    )
    print("listening", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("namespace", "reason"),
    [
        (["--user"], "user-namespace"),  # a daemon whose service manager maps no user but its own
        (["--user", "--map-root-user", "--pid", "--fork"], "pid-namespace"),  # one container of a pod
    ],
)
def test_daemon_in_a_namespace_of_its_own_says_which_one_hides_the_peer(
    place: Path, namespace: list[str], reason: str
) -> None:
    place.chmod(0o777)
    path, root = place / "s", str(Path(__file__).parents[2])
    command = ["unshare", *namespace, sys.executable, "-c", SERVER, str(path), root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n"
        path.chmod(0o666)
        ask = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); s.recv(1)"
        subprocess.run([sys.executable, "-c", ask], check=False, capture_output=True)
        told = server.stdout.read()

    assert told == f"refused_peer reason={reason} peer=None\n"
