"""A sign of life for what takes longer than a moment: on a terminal alone, and gone afterwards."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from broker.host.standard_streams import is_terminal

APPEARS_AFTER_S = 0.5
"""What is done by then needs no sign, and does not load one."""


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """While in it, stderr shows the text beside something that moves."""
    if not is_terminal(sys.stderr):
        yield
        return
    done = threading.Event()
    shower = threading.Thread(target=_show, args=(text, done), daemon=True)
    shower.start()
    try:
        yield
    finally:
        done.set()
        shower.join()


def _show(text: str, done: threading.Event) -> None:
    if done.wait(APPEARS_AFTER_S):
        return
    from rich.console import Console  # noqa: PLC0415 - for the slow ones only

    with Console(stderr=True).status(text):
        done.wait()
