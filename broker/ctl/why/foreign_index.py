"""The line that makes an index, of which the broker knows nothing, a feed of the broker's."""

import shlex
from urllib.parse import urlsplit

from broker.ctl.clients.client_index import Index, Place
from broker.ctl.config_view import configured
from broker.ctl.discover.classify import classify
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import IndexAccount


def feed_to_add(account: IndexAccount, evidence: Evidence) -> str | None:
    """What makes this index a feed; None for an address that cannot be one's."""
    if not urlsplit(account.url).netloc:
        return None
    return proposed_feed(account, evidence) or f"brokerctl add {shlex.quote(account.url)}"


def proposed_feed(account: IndexAccount, evidence: Evidence) -> str | None:
    """What `discover` proposes for this index; None where it may be a public one."""
    index = account.index or Index.at(account.client, Place(account.url), account.url)
    found = classify([index], configured(evidence.user_dirs).config, evidence.served)
    return next((each.command for each in found if each.command), None)
