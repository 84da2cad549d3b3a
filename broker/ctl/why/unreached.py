"""An index that gave no answer: no address, no connection, no trust."""

import shlex

from broker.ctl.clients.client_index import UV
from broker.ctl.clients.command_line import shown_command
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.index_account import IndexAccount

_TRUST = {"SSL_CERT_FILE", "SSL_CERT_DIR", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}
"""Variables by which uv 0.13 trusts others than its own list (uv, "TLS certificates")."""

AS_THE_SYSTEM = "UV_NATIVE_TLS=1"
"""Lets uv trust whom the machine trusts: the older name of UV_SYSTEM_CERTS. uv 0.13 takes both (tried)."""


def unreached(account: IndexAccount, evidence: Evidence) -> Finding | None:
    """Why no request came to the index, and a line that repairs it, or shows the same without the client."""
    why = account.why_unreached
    if why is None:
        return None
    lacks_trust = account.client == UV and "certificate" in why
    if evidence.feed_of(account.url) is not None:
        line = shlex.join(("brokerctl", "explain", account.url))
    elif lacks_trust and not evidence.user_dirs.environ.keys() & _TRUST:
        line = f"{AS_THE_SYSTEM} {shown_command(evidence.options.words)}"
    else:
        line = shlex.join(("curl", "-sSI", account.url))
    return problem("unreached", f"{account.client} did not reach {account.url}: {why}", line)
