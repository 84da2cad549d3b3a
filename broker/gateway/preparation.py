"""What a gateway has to know and make before its command may begin: nothing that takes long to load."""

import ssl
from collections.abc import Mapping
from typing import NamedTuple

from broker.gateway.authority import RunAuthority
from broker.gateway.host_rules import HostRules
from broker.gateway.instructions import Instructions
from broker.gateway.upstream_proxy import ProxyChoice
from broker.host.authorities import trusting_context
from broker.host.clock import Clock


class Preparation(NamedTuple):
    """`authority` is what the command's clients trust, `trusted` whom the gateway trusts itself."""

    rules: HostRules
    proxies: ProxyChoice
    trusted: ssl.SSLContext
    authority: RunAuthority


def prepared(instructions: Instructions, environ: Mapping[str, str], clock: Clock) -> Preparation:
    """The preparation in this environment. Raises ProxyAddressError, UnreadableAuthoritiesError."""
    rules = HostRules(
        instructions.feeds,
        instructions.shapes,
        instructions.domains,
        is_strict=instructions.is_strict,
        allowed=instructions.allowed,
    )
    proxies, trusted = ProxyChoice(environ), trusting_context(instructions.ca)
    return Preparation(rules, proxies, trusted, RunAuthority(rules.names(), clock))
