"""What is logged of a defect: its kind and its place, never its message, which may quote a token that was
being handled; frames are given without their values.

Wherever Python itself would print a defect, it is logged instead, so that all goes one way
(`log_handlers.py`).
"""

import faulthandler
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

STDERR = 2

log = logging.getLogger("broker.defects")


def place_of(error: BaseException) -> str:
    """The error's traceback; before it those of its causes, after it those of the errors in its group."""
    return "\n\n".join(_text_of(each) for each in _all_of(error, set()))


def say_all() -> None:
    """From now on log what ends the process or a thread, or is raised in a finalizer. Cannot be undone.

    A crash in a library's native code is told on stderr: by then nothing can be logged.
    """
    faulthandler.enable(STDERR)
    sys.excepthook = _end
    threading.excepthook = _end_of_thread
    sys.unraisablehook = _end_of_object


def in_loop(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:  # noqa: ARG001 - asyncio's
    """A loop's exception handler. asyncio's own shows the arguments of the callback and the task's result."""
    message = str(context["message"]).partition("(")[0]
    logging.getLogger("asyncio").error("%s", message, exc_info=context.get("exception"))


def _all_of(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    seen.add(id(error))
    origin = error.__cause__ if error.__suppress_context__ else error.__cause__ or error.__context__
    if origin is not None and id(origin) not in seen:
        yield from _all_of(origin, seen)
    yield error
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _all_of(part, seen)


def _text_of(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, OSError) and kind.__module__ == "builtins" and error.errno is not None:
        name = f"{name}: {os.strerror(error.errno)}"  # the system's text alone
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{name}"


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("ended_by_a_defect", exc_info=error)


def _end_of_thread(hooked: threading.ExceptHookArgs) -> None:
    if hooked.exc_value is not None and not isinstance(hooked.exc_value, SystemExit):
        log.error("thread_ended_by_a_defect", exc_info=hooked.exc_value)


def _end_of_object(hooked: "sys.UnraisableHookArgs") -> None:
    log.error("defect_ignored", exc_info=hooked.exc_value)
