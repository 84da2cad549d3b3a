"""What `brokerctl exec` tells the gateway on its stdin: the only way by which the run's secret gets there."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from broker.gateway.host_rules import Endpoint, HostRules


@dataclass(frozen=True, slots=True)
class Instructions:
    """`feeds`, `shapes`, `domains`, `is_strict` and `allowed` are those of HostRules; `ca` is a file of
    authorities that the configuration names, or None for the system's. `socket` is the broker's, or None
    for the user's.
    """

    secret: str = field(repr=False)
    feeds: frozenset[Endpoint]
    shapes: tuple[re.Pattern[str], ...] = ()
    domains: frozenset[str] = frozenset()
    is_strict: bool = False
    allowed: tuple[str, ...] = ()
    ca: Path | None = None
    socket: str | None = None

    @property
    def rules(self) -> HostRules:
        """Which hosts are feeds'."""
        return HostRules(
            self.feeds, self.shapes, self.domains, is_strict=self.is_strict, allowed=self.allowed
        )

    def written(self) -> bytes:
        """One line."""
        told = {
            "secret": self.secret,
            "feeds": sorted(self.feeds),
            "shapes": [shape.pattern for shape in self.shapes],
            "domains": sorted(self.domains),
            "is_strict": self.is_strict,
            "allowed": self.allowed,
            "ca": None if self.ca is None else str(self.ca),
            "socket": self.socket,
        }
        return json.dumps(told).encode() + b"\n"

    @classmethod
    def parsed(cls, line: bytes) -> "Instructions":
        """What was written; both ends are of one installation."""
        told = json.loads(line)
        return cls(
            secret=told["secret"],
            feeds=frozenset(Endpoint(host, port) for host, port in told["feeds"]),
            shapes=tuple(re.compile(pattern) for pattern in told["shapes"]),
            domains=frozenset(told["domains"]),
            is_strict=told["is_strict"],
            allowed=tuple(told["allowed"]),
            ca=None if told["ca"] is None else Path(told["ca"]),
            socket=told["socket"],
        )
