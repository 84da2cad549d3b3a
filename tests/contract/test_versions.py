"""A shim and a daemon of another version: what docs/reference/compatibility.md promises, the shim's half.

The daemon's half, by the same words, is tests/api/test_neighbouring_versions.py.
"""

from __future__ import annotations

import re

import pytest

from tests.contract.scripted_broker import ScriptedBroker, sends
from tests.contract.shims import Shim
from tests.contract.words_of_0_1 import ANSWERS, CREDENTIAL, REQUESTS, URL, WAIT


@pytest.mark.parametrize("words", REQUESTS, ids=" ".join)
def test_shim_asks_what_a_daemon_of_0_1_understands(
    shim: Shim, broker: ScriptedBroker, words: tuple[str, ...]
) -> None:
    broker.will(sends(ANSWERS[words]))

    shim(*words)

    asked = re.sub(rb"(?<=wait=)[0-9]+\.[0-9]{3}\b", WAIT, broker.requests[0].text.encode())
    assert asked == REQUESTS[words]


@pytest.mark.parametrize("words", list(REQUESTS)[:2], ids=" ".join)
def test_shim_takes_the_answer_of_a_daemon_of_0_1(
    shim: Shim, broker: ScriptedBroker, words: tuple[str, ...]
) -> None:
    broker.will(sends(ANSWERS[words]))

    ended = shim(*words)

    body = ANSWERS[words].partition(b"\r\n\r\n")[2]
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == (body if "creds" in words else b"token-1\n")


@pytest.mark.parametrize(
    "field",
    [b"deprecation: @1798761600", b"content-encoding: identity", b"x-brand-new: " + b"y" * 1000],
    ids=["deprecation", "encoding", "long"],
)
def test_header_fields_of_a_later_daemon_change_nothing(
    shim: Shim, broker: ScriptedBroker, field: bytes
) -> None:
    broker.will(sends(CREDENTIAL.replace(b"\r\nConnection", b"\r\n" + field + b"\r\nConnection")))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout, ended.stderr) == (0, b"token-1\n", "")


@pytest.mark.parametrize("status", [402, 410, 418, 451, 501, 507])
def test_refusal_of_a_later_daemon_is_told_in_its_words(
    shim: Shim, broker: ScriptedBroker, status: int
) -> None:
    line = b"corp: the feed is closed; run: brokerctl doctor\n"
    broker.will(sends(b"HTTP/1.1 %d New\r\ncontent-length: %d\r\n\r\n%s" % (status, len(line), line)))

    ended = shim("get", URL, "Fred")

    assert (ended.code, ended.stdout) == (1, b"")
    assert ended.stderr == "token-broker: corp: the feed is closed; run: brokerctl doctor\n"
