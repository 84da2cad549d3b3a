"""What a gateway has to find out before it serves: where its connections lead, and whom they trust."""

import ssl
from collections.abc import Mapping
from typing import NamedTuple

from broker.gateway.authority import RunAuthority
from broker.gateway.host_rules import HostRules
from broker.gateway.instructions import Instructions
from broker.gateway.upstream_proxy import ProxyChoice
from broker.host.authorities import trusting_context


class Preparation(NamedTuple):
    """`authority` is what the command's clients trust, `trusted` whom the gateway trusts itself."""

    rules: HostRules
    proxies: ProxyChoice
    trusted: ssl.SSLContext
    authority: RunAuthority


def prepared(instructions: Instructions, environ: Mapping[str, str], authority: RunAuthority) -> Preparation:
    """The preparation in this environment. Raises ProxyAddressError, UnreadableAuthoritiesError."""
    proxies, trusted = ProxyChoice(environ), trusting_context(instructions.ca)
    return Preparation(instructions.rules, proxies, trusted, authority)
