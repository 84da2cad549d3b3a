"""What a user's service leaves in the journal, on disks and in core files: no token, whatever ends it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.test_tracebacks import DEFECTS, SAID, TALKATIVE
from tests.e2e.test_traces import TOOL
from tests.e2e.traces import Search
from tests.systemd.account import CONFIG, FEED, SERVICE_UNIT, UNITS, Account
from tests.systemd.conftest import listen
from tests.systemd.machine import until

pytestmark = pytest.mark.long

CONFIGURATION = f"""log = "debug"
[[feed]]
name = "packages"
url = "{FEED}"
provider = "command"
command = ["sh", "-c", '''{TOOL}''']
verify = false
"""

DROP_IN = """[Service]
ExecStart=
ExecStart={python} -X dev -I {program} {mode}
WorkingDirectory={cores}
LimitCORE=infinity
LogRateLimitIntervalSec=0
"""
"""Lets it talk, and lets the kernel and the journal take what they are given."""

ENDED_BY = ("SEGV", "ABRT", "QUIT")
"""Signals whose default is a core file."""

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")


@dataclass(frozen=True)
class Left:
    """All that an account's services have left behind. `cores` are files, `running` is of processes."""

    tokens: frozenset[str]
    journal: bytes
    files: list[str]
    cores: list[Path]
    running: list[str]


def left(account: Account, mode: str) -> Left:
    """What is there after look-ups, defects in every place, and an end by each signal."""
    cores = account.home / "cores"
    account.write("cores/.keep", "")
    program = account.write("talkative.py", TALKATIVE.read_text())
    account.write(CONFIG, CONFIGURATION, 0o600)
    text = DROP_IN.format(
        python=account.bin / "python", program=program, mode=mode, cores=account.seen_home / "cores"
    )
    account.write(f"{UNITS}/{SERVICE_UNIT}.d/talkative.conf", text)
    listen(account)
    machine = account.machine
    machine.run("root", "sh", "-c", "journalctl --rotate --vacuum-time=1s -q")
    tokens = {account.look_up().stdout.strip()}
    account.kill("USR2")
    until(lambda: b"Task exception was never retrieved" in journal(account), "defects")
    account.brokerctl("status", check=False)
    for signal in ("USR2", *ENDED_BY):
        before = account.pid()
        account.kill(signal)
        until(lambda before=before: account.pid() not in {0, before}, "next daemon")  # type: ignore[misc]
        tokens.add(account.look_up().stdout.strip())
    search = Search(tokens)
    places = [account.home, account.runtime, machine.root / "run/log", machine.root / "var/lib/systemd"]
    return Left(
        frozenset(tokens),
        journal(account),
        [name for place in places for name in search.files(place)],
        [core for core in cores.iterdir() if core.name.startswith("core")],
        search.processes(),
    )


def journal(account: Account) -> bytes:
    """All of the machine's journal, every field of it."""
    account.machine.run("root", "journalctl", "--sync", check=False)
    argv = account.machine.command("root", ["journalctl", "--no-pager", "-o", "export"])
    return subprocess.run(argv, capture_output=True, check=True).stdout


@pytest.fixture
def redacted(alice: Account) -> Left:
    """What a talkative daemon leaves."""
    return left(alice, "redacted")


@pytest.fixture
def bare(alice: Account) -> Left:
    """What the same would leave without redaction, and with its memory open."""
    return left(alice, "bare")


def test_no_token_is_in_the_journal_on_a_disk_or_in_a_core_file(redacted: Left) -> None:
    assert len(redacted.tokens) == 1 + 1 + len(ENDED_BY)
    assert all(words.encode() in redacted.journal for words in (*SAID, *DEFECTS))
    assert not Search(redacted.tokens).is_in(redacted.journal)
    assert (redacted.files, redacted.cores, redacted.running) == ([], [], [])


def test_without_redaction_and_with_open_memory_the_tokens_would_be_found(bare: Left) -> None:
    found = Search(bare.tokens)
    records = [record for record in bare.journal.split(b"\n\n") if found.is_in(record)]

    assert {words for words in (*SAID, *DEFECTS) if any(words.encode() in each for each in records)} == {
        *SAID,
        *DEFECTS,
    }
    if not CORE_PATTERN.read_text().startswith("|"):  # else another program of this machine takes them
        assert bare.cores
        assert {str(core) for core in bare.cores} <= set(bare.files)
