"""What the status says in one line: of the whole broker, and of one share. Pure, and without rich: `--short`
stands in prompts, where 50 ms are felt.
"""

from datetime import datetime

from broker.core.status import BrokerStatus, ShareStatus
from broker.ctl.ui.humanize import ago, duration


def status_line(status: BrokerStatus) -> str:
    """The form for prompts and status bars: `feeds 4/5 !labs`, each feed that cannot answer named."""
    usable = sum(feed.usable for feed in status.feeds)
    flags = [f" !{feed.name}" for feed in status.feeds if feed.needs_help]
    if status.error is not None:
        flags.append(" !configuration")
    return f"feeds {usable}/{len(status.feeds)}{''.join(flags)}"


def share_line(share: ShareStatus, now: datetime) -> str:
    """One share: its feeds, when it ends, and what to type to renew it."""
    feeds = ", ".join(share.feeds)
    if share.state == "open":
        return f"share {share.name}: {feeds}, {duration(share.left_s)} left"
    ended = f"ended {ago((now - share.ends_at).total_seconds())}"
    return f"share {share.name}: {feeds}, {ended}  {share.renewal}"
