"""An instant on two clocks, and what comes before it."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

LAST = datetime.max.replace(tzinfo=UTC)
"""Some services write "never" as the last day of the year 9999."""


class Moment(NamedTuple):
    """One instant on two clocks: the wall's (UTC) and the time since boot, which no one can set back.

    A laptop's sleep stops neither; a clock set wrong moves only the first.
    """

    wall: datetime
    boot_s: float

    def after(self, seconds: float) -> "Moment":
        """The instant `seconds` later on both clocks; the wall's calendar ends with the year 9999."""
        try:
            wall = self.wall + timedelta(seconds=seconds)
        except OverflowError:
            wall = LAST if seconds > 0 else self.wall
        return Moment(wall, self.boot_s + seconds)

    def reached(self, now: "Moment") -> bool:
        """True when either clock says that this instant has come."""
        return now.wall >= self.wall or now.boot_s >= self.boot_s

    def left_s(self, now: "Moment") -> float:
        """Seconds until either clock reaches this instant; never negative."""
        return max(0.0, min((self.wall - now.wall).total_seconds(), self.boot_s - now.boot_s))
