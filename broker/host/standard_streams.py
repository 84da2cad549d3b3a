"""Our own stdout and its two neighbours: closed ones are no trap, and output that was lost is no success.

Python prints nothing where descriptor 1 is closed, and would give its number to the next file that is opened;
a full disk it reports at the end of the process only, on a line of its own.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO, TypeGuard

    from _typeshed import ReadableBuffer

FAILED = 1


class LostOutputError(OSError):
    """What was to be printed cannot be."""


@contextlib.contextmanager
def checked_stdout(say: Callable[[str], object], failed: int = FAILED) -> Iterator[None]:
    """While in it, what is printed must arrive: else it is left by SystemExit with the code `failed`.

    `say` gets the one line that tells why; a reader that hung up, as `head` does, is told nothing.
    """
    reserve_descriptors()
    before, output = sys.stdout, _output_of(sys.stdout)
    if output is None:  # no descriptor: a test's
        yield
        return
    raw, sys.stdout = output
    ended: SystemExit | None = None
    try:
        yield
    except LostOutputError:
        pass
    except SystemExit as end:
        ended = end
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        sys.stdout = before
        raw.is_over = True  # what is left in the buffer is dropped with it, without a word
    if raw.lost is not None:
        if raw.lost.errno != errno.EPIPE:
            say(f"the output could not be written: {os.strerror(raw.lost.errno or errno.EIO).lower()}")
        raise SystemExit(failed)
    if ended is not None:
        raise ended


def tell(text: str) -> None:
    """Say it on stderr; where its end is closed or its disk is full, that changes nothing."""
    if sys.stderr is None:  # what Python has in the place of a descriptor that was closed at the start
        return
    try:
        for line in f"{text}\n".splitlines(keepends=True):  # each has room in Python's own buffer
            with contextlib.suppress(BlockingIOError):
                sys.stderr.write(line)
            while True:
                try:
                    sys.stderr.flush()
                    break
                except BlockingIOError:
                    _wait_for_room(sys.stderr.fileno())
    except (OSError, ValueError):
        sys.stderr = None  # at its end Python would flush it once more, and make 120 of our exit code


def is_terminal(stream: TextIO | None) -> TypeGuard[TextIO]:
    """Whether a person is at the other end of stdin, stdout or stderr; one that was closed is None."""
    return stream is not None and stream.isatty()


def put_out(text: str) -> None:
    """Write the text and a line's end to stdout. Raises LostOutputError inside `checked_stdout`."""
    sys.stdout.write(f"{text}\n")


def write_to(descriptor: int, piece: ReadableBuffer) -> None:
    """Write all of it, also where another program that has the pipe made it O_NONBLOCK. Raises OSError."""
    rest = memoryview(piece)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            _wait_for_room(descriptor)


def _wait_for_room(descriptor: int) -> None:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLOUT)
    waiting.poll()


def reserve_descriptors() -> None:
    """Open 0, 1 and 2 where they are closed, so that no file of ours gets such a number.

    The wrong way round, as coreutils' stdopen does: a program that reads or writes there, we or a child, is
    told so (EBADF).
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, flags)  # the lowest number that is free
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - its signature


class _Raw(io.FileIO):
    """A descriptor that remembers the first error of writing to it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost: OSError | None = None
        self.is_over = False

    def write(self, piece: ReadableBuffer, /) -> int:
        """As FileIO's; raises LostOutputError."""
        if self.is_over:
            return memoryview(piece).nbytes
        try:
            write_to(self.fileno(), piece)
        except OSError as error:
            self.lost = self.lost or error
            raise LostOutputError(error.errno, error.strerror) from None
        return memoryview(piece).nbytes


def _output_of(stream: TextIO | None) -> tuple[_Raw, io.TextIOWrapper] | None:
    """The stream anew on its descriptor; a character that it cannot write is replaced: that is no failure."""
    try:
        descriptor = 1 if stream is None else stream.fileno()
        if stream is not None:
            stream.flush()
    except (OSError, ValueError, AttributeError):
        return None
    raw = _Raw(descriptor)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    buffered = io.BufferedWriter(raw)
    return raw, io.TextIOWrapper(buffered, encoding, "replace", line_buffering=raw.isatty())
