"""An index that a client did not reach, in the client's own words: no address, no connection, no trust.

The words are those of uv 0.13, which breaks its lines at the width of the screen, of older ones, which say
`Caused by`, and of pip 23.0, 24.3, 25.3, 26.0 and 26.3, run with an unknown host, a closed port and a
certificate that nobody signed. A pip before 26.3 does not name the host: it is the index that stands alone in
its list, or none is claimed.
"""

import re
import shlex

from broker.ctl.clients.client_index import UV
from broker.ctl.clients.command_line import shown_command
from broker.ctl.doctor.finding import Finding, problem
from broker.ctl.why.evidence import Evidence, same_host
from broker.ctl.why.index_account import IndexAccount

_UV = re.compile(r"error sending request for url \((?P<url>[^)\s]+)\)")
_BROKEN = re.compile(r"\r*\n {7,}(?=[^\s])(?!cause: |Caused by: )")
_UV_CAUSE = re.compile(r"\s*(?:cause|Caused by): (?P<why>.+)")
_PIP_INDEXES = re.compile(r"Looking in indexes: (?P<urls>.+)")
_PIP = re.compile(
    r"connection broken by '.*?host='(?P<host>[^']+)', port=(?P<port>\d+)\): (?P<why>.+?)\"\)'"
    r"|connection broken by '\w+\('<pip\.[^>]+>: (?P<unnamed>.+?)'\)'"
    r"|Could not fetch URL (?P<url>\S+): (?P<refused>There was a problem confirming the ssl certificate: .+?)"
    r" - skipping"
)
_PORTS = ("80", "443")

_TRUST = {"SSL_CERT_FILE", "SSL_CERT_DIR", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}
"""Variables by which uv 0.13 trusts others than its own list (uv, "TLS certificates")."""

AS_THE_SYSTEM = "UV_NATIVE_TLS=1"
"""Lets uv trust whom the machine trusts: the older name of UV_SYSTEM_CERTS. uv 0.13 takes both (tried)."""


def unreached(account: IndexAccount, evidence: Evidence) -> Finding | None:
    """Why no request came to the index, and a line that repairs it, or shows the same without the client."""
    why = why_unreached(evidence.run.said, account.url)
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


def why_unreached(said: str, url: str) -> str | None:
    """Why no request came to the URL's host, by the last that a client said of it; None where none did.

    `said` is without colours.
    """
    lines, found, listed = _BROKEN.sub(" ", said).splitlines(), None, ""
    for number, line in enumerate(lines):
        indexes, uv, pip = _PIP_INDEXES.search(line), _UV.search(line), _PIP.search(line)
        if indexes:
            listed = indexes["urls"].strip()
        elif uv and same_host(uv["url"], url):
            found = _deepest_cause(lines[number + 1 :])
        elif pip and same_host(pip["url"] or _address(pip) or listed, url):
            found = pip["why"] or pip["unnamed"] or pip["refused"]
    return found


def _deepest_cause(lines: list[str]) -> str:
    why = "no connection"
    for line in lines:
        cause = _UV_CAUSE.match(line)
        if cause is None:
            break
        why = cause["why"]
    return why


def _address(pip: re.Match[str]) -> str | None:
    return pip["host"] if pip["port"] in {None, *_PORTS} else f"{pip['host']}:{pip['port']}"
