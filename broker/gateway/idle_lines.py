"""Connections to feeds' hosts: the one that a request goes by, and those that wait for another request.

A command's clients come and go, and each would begin with TLS to the same host. A connection waits only where
the host's last answer has ended as it said, and only until the host would end it: then a request is met by
the end, and sent again (RFC 9112 section 9.3.1).
"""

import asyncio
from dataclasses import dataclass

import h11

from broker.gateway.channel import Channel
from broker.gateway.host_rules import Endpoint
from broker.gateway.inbox import Inbox

IDLE_S = 30.0
"""Servers end idle connections after 5 s (Apache) to 240 s (Azure's load balancers)."""

IDLE_MAX = 64
"""As many as a client opens at once (uv: 50). Each holds a descriptor."""


@dataclass(slots=True, eq=False)
class HostLine:
    """A connection to a host. `talk` is the request under way; `is_used`: it has carried one before.
    `is_at_rest`: none is under way, and the host takes another. `is_anyones`: none had a credential of a
    client's own, which some servers take for the whole connection (Negotiate, RFC 4559 section 6).
    """

    endpoint: Endpoint
    channel: Channel
    inbox: Inbox
    talk: h11.Connection
    is_head: bool = False
    is_used: bool = False
    is_at_rest: bool = False
    is_anyones: bool = True


class IdleLines:
    """Connections with TLS, by host; the youngest is taken first. For one loop."""

    def __init__(self) -> None:
        self._idle: dict[HostLine, asyncio.TimerHandle] = {}

    def take(self, endpoint: Endpoint) -> HostLine | None:
        """A connection to this host, which becomes the caller's; None where none waits."""
        for line in [each for each in reversed(self._idle) if each.endpoint == endpoint]:
            self._idle.pop(line).cancel()
            if line.channel.is_quiet():
                return line
            line.channel.close()  # it has ended, or the host answers what it was not asked
        return None

    def keep(self, line: HostLine) -> None:
        """Have it wait for another request, or close it where it cannot serve one."""
        if not line.is_at_rest or not line.is_anyones or line.inbox.taken() or len(self._idle) >= IDLE_MAX:
            line.channel.close()
            return
        self._idle[line] = asyncio.get_running_loop().call_later(IDLE_S, self._end, line)

    def _end(self, line: HostLine) -> None:
        del self._idle[line]
        line.channel.close()

    def close(self) -> None:
        """Close them all."""
        while self._idle:
            line, ending = self._idle.popitem()
            ending.cancel()
            line.channel.close()
