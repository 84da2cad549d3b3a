"""Whether `brokerctl exec --gateway` would make a command succeed that failed. Decides only.

The gateway adds the credential of a known feed to requests that bring none (docs/gateway.md). So it cures
what keeps a client from asking the broker; it cures neither what the client takes from elsewhere nor what the
feed says.
"""

import shlex
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from broker.ctl.clients.command_line import shown_command
from broker.ctl.doctor.finding import Finding, Level
from broker.ctl.exec.gateway_run import LOOPBACK
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_reports import IndexReport

NOT_ASKED = frozenset(
    {
        "backend",
        "lock",
        "never",
        "no-username",
        "old-pip",
        "poetry-username",
        "provider",
        "shim",
        "stranger",
    }
)
"""The findings by which the client did not ask the broker, and sent no password of its own."""


def gateway_command(
    reports: Sequence[IndexReport], found: Sequence[Finding], evidence: Evidence
) -> str | None:
    """The command behind the gateway where that cures all that was found; None where it does not."""
    wrong = [each for each in found if each.level is not Level.FINE]
    if not wrong or any(each.check not in NOT_ASKED for each in wrong):
        return None
    addresses = {url for each in reports if each.finding in wrong for url in each.account.addresses}
    client = evidence.options.program
    addresses = addresses or {each.bare for each in evidence.indexes if each.client == client}
    return behind_gateway(addresses, evidence)


def behind_gateway(addresses: Collection[str], evidence: Evidence) -> str | None:
    """The command behind the gateway where that has a credential for all of the addresses, one at least.

    None for a command that uploads: clients insist on a login of their own before they send a request. None,
    too, for one with a password in it, which could not be shown as it was.
    """
    shown = shown_command(evidence.options.words)
    is_repeatable = shown == shlex.join(evidence.options.words) and not evidence.options.uploads
    if not addresses or not is_repeatable or not all(_is_served(each, evidence) for each in addresses):
        return None
    return f"brokerctl exec --gateway -- {shown}"


def _is_served(address: str, evidence: Evidence) -> bool:
    """Whether the gateway has a credential for the feed at this address."""
    feed = evidence.feed_of(address)
    split = urlsplit(address)
    if feed is None or split.scheme != "https" or split.hostname in LOOPBACK.split(","):
        return False
    status = evidence.status_of(feed)
    return status is None or not status.needs_help
