"""A finding: how something is, what is wrong with it, and what a person types to repair it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from broker.core.one_line import one_line


class Level(StrEnum):
    """`fine` is told too: a person wants to know what was looked at."""

    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One outcome of a check. `repair` is a command or a line to write; `fix` does it where that is safe."""

    check: str
    level: Level
    said: str
    repair: str | None = None
    fix: Callable[[], None] | None = None


def fine(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check, Level.FINE, one_line(said))


def warning(check: str, said: str, repair: str | None, fix: Callable[[], None] | None = None) -> Finding:
    """It works, and will not one day or not everywhere."""
    return Finding(check, Level.WARNING, one_line(said), repair, fix)


def problem(check: str, said: str, repair: str | None, fix: Callable[[], None] | None = None) -> Finding:
    """It does not work."""
    return Finding(check, Level.PROBLEM, one_line(said), repair, fix)
