"""How long the gateway waits for whom, in seconds. A peer that stalls costs itself its connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Each is of one wait, not of a whole transfer: a large file may take as long as it goes on."""

    head_s: float = 10.0
    """A request's head, from its first byte to its last; a TLS handshake."""

    idle_s: float = 300.0
    """Between two requests of a client. Longer than clients keep connections themselves (uv: 90 s)."""

    connect_s: float = 30.0
    """A connection to a feed or a proxy, with its TLS."""

    stall_s: float = 300.0
    """Without a byte of a message that has begun, or of an answer: a feed may compute an index first."""

    scarce_s: float = 1.0
    """Until connections are accepted again, where the machine has no descriptor or memory left for one."""

    tunnel_s: float = 3600.0
    """Without a byte either way of a connection whose content is not known."""
