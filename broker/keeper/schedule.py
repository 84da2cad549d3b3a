"""Schedule: which entries want looking at before the next round, and who waits for a flight.

A round looks at every entry each half minute: it sees a wall clock that was set, a sign-in that changed, and
what was not announced. What is due between two rounds is here, so that a renewal costs the same beside ten
thousand others as alone.
"""

import heapq
from collections.abc import Iterator
from itertools import count

from broker.core.moment import Moment
from broker.keeper.slot_entry import SlotEntry


class Schedule:
    """Cleared by each round, so that it never holds more than one round's business."""

    def __init__(self) -> None:
        self._order = count()
        self._timed: list[tuple[float, int, SlotEntry]] = []
        self._line: list[tuple[bool, int, int, SlotEntry]] = []

    def clear(self) -> None:
        """Begin a round."""
        self._timed.clear()
        self._line.clear()

    def look_at(self, entry: SlotEntry, moment: Moment, now: Moment) -> None:
        """Look at the entry when either clock reaches the moment."""
        heapq.heappush(self._timed, (now.boot_s + moment.left_s(now), next(self._order), entry))

    def due(self, now: Moment) -> Iterator[SlotEntry]:
        """Take out those whose time has come."""
        while self._timed and self._timed[0][0] <= now.boot_s:
            yield heapq.heappop(self._timed)[2]

    def left_s(self, now: Moment) -> float:
        """Seconds until the next entry is due; infinite when none is."""
        return max(0.0, self._timed[0][0] - now.boot_s) if self._timed else float("inf")

    def line_up(self, entry: SlotEntry, *, can_wait: bool) -> None:
        """Let the entry be fetched when there is room: behind those that cannot wait, if it can."""
        heapq.heappush(self._line, (can_wait, next(self._order), entry.fetches, entry))

    def first_in_line(self) -> SlotEntry | None:
        """Who is next. It stays in line until it is fetched or dropped."""
        while self._line:
            _, _, fetches, entry = self._line[0]
            if entry.wanted and entry.flight is None and entry.fetches == fetches:
                return entry
            heapq.heappop(self._line)
        return None

    def skip_first(self) -> None:
        """Take out who is next; the next round looks at it again."""
        heapq.heappop(self._line)
