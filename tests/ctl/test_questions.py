"""A question is seen wherever stdout goes, and whoever does not answer it has changed nothing."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ctl.homes import tree

if TYPE_CHECKING:
    from collections.abc import Callable

BROKERCTL = Path(sys.executable).parent / "brokerctl"
ARTIFACTORY = "https://artifactory.example.com/artifactory/api/pypi/internal/simple/"
CHUNK = 4096
PATIENCE_S = 60
AGAIN_S = 5.0
CTRL_D = b"\x04"

QUESTIONS = [(("setup",), "Do this? [Y/n]: "), (("add", ARTIFACTORY), "secrets/internal]: ")]


@pytest.mark.parametrize(("words", "question"), QUESTIONS, ids=["setup", "add"])
@pytest.mark.parametrize(("is_interrupted", "code"), [(True, 130), (False, 1)], ids=["ctrl-c", "ctrl-d"])
def test_unanswered_question_changes_nothing_and_says_so(
    home: Path, words: tuple[str, ...], question: str, code: int, *, is_interrupted: bool
) -> None:
    ours, theirs = os.openpty()
    child = subprocess.Popen([BROKERCTL, *words], stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    read_until(question, ours)

    def give_up() -> None:
        if is_interrupted:
            child.send_signal(signal.SIGINT)
        else:
            os.write(ours, CTRL_D)

    give_up()
    said = read_until("changed\r\n", ours, again=give_up)

    assert (child.wait(PATIENCE_S), said) == (code, "\r\ntoken-broker: nothing was changed\r\n")
    assert tree(home) == {}
    os.close(ours)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [("setup --dry-run", 0, ""), (f"add {ARTIFACTORY}", 1, "for artifactory, which needs a secret; run: ")],
)
def test_closed_stdin_is_asked_nothing(line: str, code: int, said: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {BROKERCTL} {line} <&-"], capture_output=True, text=True, check=False
    )

    assert done.returncode == code
    assert said in done.stderr
    assert "defect" not in done.stderr


def read_until(end: str, terminal: int, again: Callable[[], object] = lambda: None) -> str:
    """What is written to the terminal up to this end, or all where nobody writes any more.

    `again` is called where nothing comes: a signal that meets Python just before it reads wakes nobody.
    """
    seen, until_s = "", time.monotonic() + PATIENCE_S
    while not seen.endswith(end) and time.monotonic() < until_s:
        if not select.select([terminal], [], [], AGAIN_S)[0]:
            again()
            continue
        try:
            seen += os.read(terminal, CHUNK).decode()
        except OSError:  # Linux says EIO then
            break
    return seen
