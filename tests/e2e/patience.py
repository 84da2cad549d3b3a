"""Waiting for what another process does: as long as it takes, but not for ever, and never a fixed time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Seen = TypeVar("Seen")

PATIENCE_S = 60.0
"""Longer than anything a healthy daemon does on two busy cores, with other work beside."""

GLANCE_S = 0.01


def until(
    look: Callable[[], Seen | None], what: str, patience_s: float = PATIENCE_S, glance_s: float = GLANCE_S
) -> Seen:
    """The first true value that `look` returns. Raises TimeoutError naming `what` was waited for."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} after {patience_s:.0f} s")
        time.sleep(glance_s)
    return seen
