"""What is written arrives, whatever another program that has the same pipe made of it."""

from __future__ import annotations

import os
import sys
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from broker.ctl.why.account_stream import AccountStream
from broker.ctl.why.streams import RecordedStream
from broker.host.standard_streams import checked_stdout, put_out, tell, write_to

if TYPE_CHECKING:
    from collections.abc import Callable

SAID = "said " * 10_000


def _by_why(writing: int) -> None:
    source, given = os.pipe()
    os.write(given, SAID.encode())
    os.close(given)
    stream = RecordedStream(source, -1, writing, AccountStream(lambda *_: None, takes_all=False))
    while stream.take():
        pass
    os.close(source)


def _by_stderr(_: int) -> None:
    tell(SAID[:-1].replace(" ", "\n"))


def _by_stdout(_: int) -> None:
    with checked_stdout(lambda _: None):
        put_out(SAID)


@pytest.mark.parametrize(
    "write", [lambda writing: write_to(writing, SAID.encode()), _by_why, _by_stderr, _by_stdout]
)
def test_full_pipe_that_does_not_block_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, write: Callable[[int], None]
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = _fill(writing)
    arrived = bytearray()

    def read() -> None:
        while piece := os.read(reading, 1 << 16):
            arrived.extend(piece)

    with open(writing, "w", encoding="utf-8", closefd=False) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        reader = Thread(target=read)
        reader.start()
        write(writing)
    os.close(writing)
    reader.join()
    os.close(reading)

    assert arrived[filled:].decode().split() == SAID.split()


def _fill(descriptor: int) -> int:
    filled = 0
    try:
        while True:
            filled += os.write(descriptor, b" " * 512)
    except BlockingIOError:
        return filled
