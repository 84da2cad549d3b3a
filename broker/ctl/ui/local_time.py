"""The wall clock of this user."""

from datetime import datetime

from broker.host.clock import SystemClock


def local_now() -> datetime:
    """The wall clock in the zone that this user's times of day are in."""
    return SystemClock().now().wall.astimezone()
