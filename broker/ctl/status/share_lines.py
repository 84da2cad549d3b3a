"""What the status says of one share in one line. Pure, and without rich."""

from datetime import datetime

from broker.core.status import ShareStatus
from broker.ctl.ui.humanize import ago, duration
from broker.ctl.ui.layout import laid_out


def share_line(share: ShareStatus, now: datetime, cells: int | None) -> str:
    """One share: its feeds, when it ends, and what to type to renew it; below that where there is no room."""
    feeds = ", ".join(share.feeds)
    if share.state == "open":
        return f"share {share.name}: {feeds}, {duration(share.left_s)} left"
    ended = f"ended {ago((now - share.ends_at).total_seconds())}"
    return laid_out("", f"share {share.name}: {feeds}, {ended}", share.renewal, cells=cells)
