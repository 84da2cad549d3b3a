"""What the last daemon left on the disk: why it did not start, why feeds had no answer."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import token_broker_client as client

from broker.core.why_not import Reason
from broker.ctl.ui.humanize import ago
from broker.host.why_not_file import WhyNotFile, state_folder


def left_reasons(environ: Mapping[str, str], home: Path) -> tuple[Reason, ...]:
    """The reasons in the record of the user's broker; none where there is none. Never raises."""
    try:
        socket: Path | None = Path(client.socket_path())
    except client.BrokerError:
        socket = None
    return WhyNotFile(socket, state_folder(environ, home)).read()


def failed_start(reason: Reason, now: datetime) -> str:
    """How the start ended that a reason of the topic START is about."""
    return f"brokerd ended {ago((now - reason.at).total_seconds())}: {reason.detail}"
