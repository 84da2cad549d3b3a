"""A command's streams on their way through us: a pipe where ours is none of a terminal's, else a terminal.

uv draws its progress only on a terminal, and a program that finds none colours nothing: so where our stream
is a terminal the command gets one too, of the same size.
"""

import contextlib
import errno
import fcntl
import os
import selectors
import signal
import struct
import subprocess
import termios
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from broker.ctl.why.account_stream import AccountStream, plain
from broker.host.standard_streams import write_to

CHUNK_BYTES = 1 << 16
IDLE_S = 0.1
"""After so long without a byte, what was held back passes on: a prompt is not a line either."""

LINGER_TURNS = 3
"""Idle turns after the command's end, for what its children still write; then the pipe is closed."""

TAIL_BYTES = 1 << 16
"""Of what passed, so much of the end is kept: a client's last words name the index that refused it."""

STDOUT, STDERR = 1, 2


@dataclass
class RecordedStream:
    """One stream: what the command writes to `given` is read from `source` and passed on to `sink`."""

    source: int
    given: int
    sink: int
    account: AccountStream
    tail: bytes = b""

    def take(self) -> bool:
        """Pass on what has come; false at the end."""
        try:
            data = os.read(self.source, CHUNK_BYTES)
        except OSError:  # Linux's word for the end of a terminal
            data = b""
        self._pass(self.account.feed(data) if data else self.account.flush(ended=True))
        return bool(data) and self.source >= 0

    def release(self) -> None:
        """Close our copy of the command's end."""
        if self.given >= 0:
            os.close(self.given)
            self.given = -1

    def idle(self, *, ended: bool = False) -> None:
        """Pass on what was held back."""
        self._pass(self.account.flush(ended=ended))

    def _pass(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-TAIL_BYTES:] if data else self.tail
        try:
            write_to(self.sink, data)
        except OSError as error:
            if error.errno == errno.EPIPE and self.sink == STDOUT:
                self.close()  # its reader has gone, as `head` does: the next write ends the command

    def close(self) -> None:
        """Read no more: what the command writes from now on fails."""
        if self.source >= 0:
            os.close(self.source)
            self.source = -1


class Streams:
    """The streams of one command: stderr, and stdout where `with_stdout`."""

    def __init__(self, account: Callable[[], AccountStream], *, with_stdout: bool) -> None:
        self._streams: dict[int, RecordedStream] = {}
        self._terminals: list[int] = []
        self._before: signal._HANDLER = None
        wanted = (STDOUT, STDERR) if with_stdout else (STDERR,)
        shared: RecordedStream | None = None
        for number in wanted:
            if os.isatty(number):
                shared = shared or self._terminal(number, account())
                self._streams[number] = shared
            else:
                source, given = os.pipe()
                self._streams[number] = RecordedStream(source, given, number, account())

    def __enter__(self) -> Self:
        """While in it, the terminals follow the size of ours."""
        if self._terminals:
            self._before = signal.signal(signal.SIGWINCH, lambda *_: self._resize())
            self._resize()
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminals:
            signal.signal(signal.SIGWINCH, self._before)
        for stream in self._each():
            stream.release()
            stream.close()

    def given(self, number: int) -> int | None:
        """What the command gets as this descriptor; None: ours."""
        stream = self._streams.get(number)
        return None if stream is None else stream.given

    def pump(self, child: "subprocess.Popen[bytes]") -> None:
        """Pass everything on until the command has ended and its streams have, too."""
        streams = list(self._each())
        for stream in streams:
            stream.release()
        lingered = 0
        with selectors.DefaultSelector() as selector:
            for stream in streams:
                selector.register(stream.source, selectors.EVENT_READ, stream)
            while selector.get_map():
                ready = selector.select(IDLE_S)
                for key, _ in ready:
                    stream = key.data
                    if not stream.take():
                        selector.unregister(key.fd)
                lingered += not ready and child.poll() is not None
                if lingered > LINGER_TURNS:
                    break
                if not ready:
                    _flush(streams, ended=False)
        _flush(streams, ended=True)

    @property
    def ends_in_a_line(self) -> bool:
        """True when the last that passed to stderr was not the end of a line."""
        tail = self._streams[STDERR].tail
        return bool(tail) and not tail.endswith(b"\n")

    @property
    def tail(self) -> str:
        """The end of what passed, of all streams, without colours."""
        return "\n".join(plain(stream.tail) for stream in self._each())

    def _each(self) -> Iterator[RecordedStream]:
        return iter({id(stream): stream for stream in self._streams.values()}.values())

    def _terminal(self, number: int, account: AccountStream) -> RecordedStream:
        source, given = os.openpty()
        tty.setraw(given)  # no byte is changed on the way: our own terminal does what it does
        self._terminals.append(source)
        return RecordedStream(source, given, number, account)

    def _resize(self) -> None:
        for source in self._terminals:
            with contextlib.suppress(OSError):
                size = fcntl.ioctl(STDERR, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
                fcntl.ioctl(source, termios.TIOCSWINSZ, size)


def _flush(streams: list[RecordedStream], *, ended: bool) -> None:
    for stream in streams:
        stream.idle(ended=ended)
