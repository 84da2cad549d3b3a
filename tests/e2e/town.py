"""A town: a household in the middle of the field, with a daemon in it. Its services and its user's files may
be changed while it stands. Next: `field.py`, which says what stands around it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.field import Field, settle
from tests.e2e.household import Household, household

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.wire import Wire
    from tests.fakes.clients import Outcome


@dataclass(frozen=True)
class Town:
    """A house in the middle of the field, with a daemon in it."""

    house: Household
    field: Field
    wire: Wire

    def ask(self, command: str, *words: str) -> Outcome:
        """Run brokerctl."""
        return self.house.brokerctl(command, *words)

    def count(self) -> int:
        """How many look-ups there were so far."""
        counts: dict[str, int] = self.wire.status()["lookups"]
        return sum(counts.values())

    def asked_since(self, count: int) -> list[tuple[str, str]]:
        """What was asked after the first `count` look-ups, and whether it was answered: 20 at most."""
        recent = self.wire.status()["recent"]
        return [
            (lookup["url"], "yes" if lookup["outcome"] in {"hit", "wait"} else lookup["outcome"])
            for lookup in recent[len(recent) - (self.count() - count) :]
        ]


@contextmanager
def town() -> Iterator[Town]:
    """A new town, whose services nobody has asked yet."""
    with household() as house:
        field = settle(house)
        with house.forked_brokerd() as broker:
            yield Town(house, field, broker.wire)
