"""What a verb prints and nobody gets is no success: a full disk, a closed stdout, a reader that hung up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ctl.found_feeds import broker as seen
from tests.ctl.found_feeds import feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

FULL = Path("/dev/full")
URL = "https://feed.example/simple/"

VERBS = [  # `get` writes past sys.stdout: tests/ctl/test_get.py
    ("--help",),
    ("--version",),
    ("get", "--help"),
    ("status",),
    ("status", "--json"),
    ("status", "--short"),
    ("explain", URL),
    ("discover",),
    ("doctor",),
    ("doctor", "--json"),
    ("doctor", "--report"),
    ("setup", "--dry-run"),
    ("refresh", "corp"),
    ("forget", "corp"),
    ("reload",),
    ("logs",),
]

SLOW = {"doctor", "discover", "setup"}
"""These look at much of the machine first; `setup` stands for them, in a process of its own below."""

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


@pytest.fixture
def _answering(broker: StandInBroker) -> None:
    broker.answers |= {
        "GET /v1/status": (200, seen(feed("corp"))),
        "GET /v1/health": (200, {"status": "ok"}),
        "GET /v1/credential": (
            200,
            {"feed": "corp", "username": "me", "password": "s3cret", "expires_at": None},
        ),
        "POST /v1/explain": (200, iter([b'{"step": "feed", "text": "corp", "good": true}\n'])),
        "POST /v1/feeds/corp/refresh": (200, feed("corp")),
        "POST /v1/feeds/corp/forget": (200, feed("corp")),
        "POST /v1/reload": (200, {"feeds": ["corp"]}),
        "GET /v1/logs": (200, {"lines": ["one"], "last": 1}),
    }


@pytest.mark.usefixtures("_answering")
@pytest.mark.parametrize(
    "words",
    [pytest.param(words, marks=pytest.mark.long if words[0] in SLOW else []) for words in VERBS],
    ids=[" ".join(words) for words in VERBS],
)
def test_output_that_a_full_disk_loses_is_exit_1_with_one_line(
    brokerctl: Brokerctl, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        ended = brokerctl(*words)

    assert ended.exit_code == 1
    assert ended.stderr == "token-broker: the output could not be written: no space left on device\n"


def shell(line: str, program: str = "broker.ctl.app") -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which `$B` is the program."""
    command = f"{sys.executable} -m {program}"
    return subprocess.run(
        ["sh", "-c", line.replace("$B", command)], capture_output=True, text=True, check=False, timeout=60
    )


LOST = "the output could not be written: "


LONG = pytest.mark.long


@pytest.mark.parametrize(
    "words", ["--version", pytest.param("--help", marks=LONG), pytest.param("setup --dry-run", marks=LONG)]
)
def test_a_closed_stdout_is_exit_1_with_one_line(words: str) -> None:
    ended = shell(f"$B {words} >&-")

    assert (ended.returncode, ended.stderr) == (1, f"token-broker: {LOST}bad file descriptor\n")


@pytest.mark.parametrize("words", ["--version", pytest.param("--help", marks=LONG)])
@pytest.mark.parametrize(
    ("where", "why"), [(">&-", "bad file descriptor"), ("> /dev/full", "no space left on device")]
)
def test_brokerd_says_so_as_well(words: str, where: str, why: str) -> None:
    ended = shell(f"$B {words} {where}", "broker.daemon")

    assert (ended.returncode, ended.stderr) == (1, f"brokerd: {LOST}{why}\n")


@pytest.mark.parametrize("program", ["broker.ctl.app", pytest.param("broker.daemon", marks=LONG)])
def test_a_reader_that_hung_up_is_told_nothing(program: str) -> None:
    ended = shell("{ $B --help; echo $? >&2; } | true", program)

    assert ended.stderr in {"1\n", "0\n"}  # 0: it was quicker than `true`


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("sh -c 'exit 7'", 7)])
def test_messages_that_a_full_disk_loses_change_no_exit_code(
    monkeypatch: pytest.MonkeyPatch, command: str, code: int
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    brokerctl = Path(sys.executable).with_name("brokerctl")

    assert shell(f"{brokerctl} why -- {command} 2> /dev/full").returncode == code


def test_all_three_closed_are_no_traceback_and_no_success() -> None:
    assert shell("$B --version <&- >&- 2>&-").returncode == 1


def test_a_commands_output_is_its_own_matter() -> None:
    assert shell("$B exec -- true > /dev/full").returncode == 0
