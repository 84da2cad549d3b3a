"""Which hosts are feeds', whose TLS is ended, and which others a command may reach. Decides only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from broker.core.failures import BadRequest
from broker.core.urls import DEFAULT_PORTS, Host, parse_service

HTTPS = DEFAULT_PORTS["https"]


class Endpoint(NamedTuple):
    """A host in lower case, or an address without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, default_port: int | None = None) -> Endpoint | None:
    """Read `host:port`, as CONNECT and Host have it; None where it is something else, or has no port."""
    try:
        found = parse_service(text)
    except BadRequest:
        return None
    if not isinstance(found, Host) or "@" in text:
        return None
    port = found.port or default_port
    return None if port is None else Endpoint(found.host, port)


@dataclass(frozen=True, slots=True)
class HostRules:
    """`feeds` are the hosts of known feeds; `shapes` are what the hosts of feeds look like that the broker
    would learn, at port 443 and within `domains`.

    `is_strict`: other hosts than feeds' and `allowed` are refused. `allowed` are `host` or `host:port`, and
    domains written `*.domain`, which stand for every host below.
    """

    feeds: frozenset[Endpoint]
    shapes: tuple[re.Pattern[str], ...] = ()
    domains: frozenset[str] = frozenset()
    is_strict: bool = False
    allowed: tuple[str, ...] = ()

    def is_feed(self, endpoint: Endpoint) -> bool:
        """Whether TLS is ended here."""
        return endpoint in self.feeds or (
            endpoint.port == HTTPS
            and any(shape.fullmatch(endpoint.host) for shape in self.shapes)
            and any(f".{endpoint.host}".endswith(f".{domain}") for domain in self.domains)
        )

    def may_reach(self, endpoint: Endpoint) -> bool:
        """Whether the command may reach a host that is no feed."""
        return not self.is_strict or any(_allows(pattern, endpoint) for pattern in self.allowed)

    def names(self) -> frozenset[str]:
        """What an authority for these hosts is limited to."""
        return self.domains | {endpoint.host for endpoint in self.feeds}


def _allows(pattern: str, endpoint: Endpoint) -> bool:
    below = pattern.startswith("*.")
    found = parse_endpoint(pattern.removeprefix("*."), endpoint.port)
    if found is None or found.port != endpoint.port:
        return False
    return endpoint.host.endswith(f".{found.host}") if below else endpoint.host == found.host


def unusable(patterns: Iterable[str]) -> str | None:
    """The first of the patterns, as a person wrote them, that names no host; None where all do."""
    return next((each for each in patterns if parse_endpoint(each.removeprefix("*."), HTTPS) is None), None)
