"""What is slow says so on a terminal, and nowhere else."""

import os
import pty
import subprocess
import sys

import pytest

SLOW = """
import sys, threading
from broker.ctl.ui import spinner
spinner.APPEARS_AFTER_S = float(sys.argv[1])
shown = threading.Event()
real = sys.stderr.write
def write(text):
    if "looking" in text:
        shown.set()
    return real(text)
sys.stderr.write = write
with spinner.spinner("looking"):
    shown.wait(float(sys.argv[2]))
print("rich" in sys.modules)
"""


def run(appears_after_s: str, at_most_s: str, stderr: int) -> str:
    command = [sys.executable, "-c", SLOW, appears_after_s, at_most_s]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=stderr, check=True, env={**os.environ, "TERM": "xterm"}
    )
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    ("appears_after_s", "at_most_s", "loads"), [("0", "30", "True"), ("30", "0", "False")]
)
def test_terminal_shows_it_once_it_takes_a_while(appears_after_s: str, at_most_s: str, loads: str) -> None:
    master, slave = pty.openpty()
    try:
        assert run(appears_after_s, at_most_s, slave) == loads
        os.set_blocking(master, False)
        try:
            shown = os.read(master, 65536)
        except BlockingIOError:
            shown = b""
    finally:
        os.close(master)
        os.close(slave)

    assert (b"looking" in shown) == (loads == "True")


def test_file_gets_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("said") / "stderr"
    with path.open("wb") as file:
        assert run("0", "0.2", file.fileno()) == "False"

    assert path.read_bytes() == b""
