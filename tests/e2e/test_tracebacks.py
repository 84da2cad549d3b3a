"""What the daemon says of defects that strike while it holds tokens: everything but the tokens."""

from __future__ import annotations

import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, feed, household
from tests.e2e.test_traces import TOOL, TOOL_FEED
from tests.e2e.traces import Search

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

TALKATIVE = Path(__file__).with_name("talkative.py")

SAID = ("obtained Credential", "sent Authorization", "asked https://", "a defect")
"""What it says of each credential by itself, the last with a traceback."""

DEFECTS = (
    "Exception in callback",
    "Task exception was never retrieved",
    "thread_ended_by_a_defect",
    "defect_ignored",
    "Exception in ASGI application",
    "ended_by_a_defect",
)
"""What the log calls a defect, by where it strikes."""

RECORD = re.compile(rb"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d )", re.MULTILINE)


@dataclass(frozen=True)
class Struck:
    """What a daemon said while defects struck it, in its log and on its socket."""

    tokens: frozenset[str]
    log: bytes
    answers: bytes

    def telling(self) -> set[str]:
        """The kinds of log lines, with their tracebacks, that tell a token."""
        search = Search(self.tokens)
        records = [record for record in RECORD.split(self.log) if search.is_in(record)]
        return {words for words in (*SAID, *DEFECTS) if any(words.encode() in record for record in records)}


def struck(mode: str) -> Iterator[Struck]:
    """A daemon that talks about its tokens, and that defects strike until they end it."""
    with household() as house:
        tool = feed("tool", TOOL_FEED, f'provider = "command"\ncommand = ["sh", "-c", """{TOOL}"""]')
        house.configure(f'log = "debug"\n{feed("corp", AZURE_FEED, "verify = false")}{tool}')
        broker = house.brokerd(program=[sys.executable, "-X", "dev", "-I", TALKATIVE, mode])
        broker.ends_with = 1
        with broker:
            given = {broker.wire.look_up(url).password for url in (TOOL_FEED, AZURE_FEED)}
            broker.signal(signal.SIGUSR2)
            broker.wait_for_log("Task exception was never retrieved")
            said = [broker.wire.get("/v1/status"), broker.wire.get("/v1/logs")]
            said += [broker.wire.look_up(url, wait="1") for url in (TOOL_FEED, AZURE_FEED)]
            assert {answer.status for answer in said} == {200, 500}
            broker.signal(signal.SIGUSR2)
            broker.wait()
        yield Struck(
            frozenset(given | house.tokens), broker.log.encode(), b"".join(answer.body for answer in said)
        )


@pytest.fixture(scope="module")
def redacted() -> Iterator[Struck]:
    """As it is, but talkative."""
    yield from struck("redacted")


@pytest.fixture(scope="module")
def bare() -> Iterator[Struck]:
    """The same with the redaction off."""
    yield from struck("bare")


def test_no_defect_tells_a_token_to_the_log_or_to_a_client(redacted: Struck) -> None:
    assert all(words.encode() in redacted.log for words in (*SAID, *DEFECTS))
    assert redacted.log.count(b"in strike") > len(DEFECTS)  # the places are told
    assert redacted.telling() == set()
    assert not Search(redacted.tokens).is_in(redacted.log + redacted.answers)


@pytest.mark.long
def test_without_the_redaction_each_of_them_would_have_told_it(bare: Struck) -> None:
    assert bare.telling() == {*SAID, *DEFECTS}
