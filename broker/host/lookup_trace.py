"""A look-up told aloud: whoever takes a step may `tell` it, and it is heard where somebody listens.

Nobody listens but `POST /v1/explain`, so telling costs a look-up nothing. The listener belongs to the task
that explains and to the flights it starts, not to those of others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One line of the walk: which step, what came of it, whether that is good (None: neither). No secret."""

    step: str
    text: str
    good: bool | None = None


_listener: ContextVar[Callable[[TraceStep], None] | None] = ContextVar("narration", default=None)


def trace_step(step: str, text: str, *, good: bool | None = None) -> None:
    """Say what a step came to, if somebody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(TraceStep(step, text, good))


@contextmanager
def tracing(listener: Callable[[TraceStep], None]) -> Iterator[None]:
    """Within this block, and in tasks started from it, steps are told to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
