"""The steps of one look-up: `trace_step` reports one, and `tracing` passes them to a listener.

Only `POST /v1/explain` listens, so reporting costs other look-ups nothing. The listener belongs to the task
that explains and to the flights it starts, not to those of others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of a look-up: its name, its result, and whether that is good (None: neither). No secret."""

    step: str
    text: str
    good: bool | None = None


_listener: ContextVar[Callable[[TraceStep], None] | None] = ContextVar("trace_listener", default=None)


def trace_step(step: str, text: str, *, good: bool | None = None) -> None:
    """Report a step's result to the listener, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(TraceStep(step, text, good))


@contextmanager
def tracing(listener: Callable[[TraceStep], None]) -> Iterator[None]:
    """Within this block, and in tasks started from it, steps are passed to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
