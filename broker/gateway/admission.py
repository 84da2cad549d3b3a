"""Who may use the gateway: who knows the run's secret and, where Linux tells it, runs as our user or root."""

import base64
import binascii
import hmac
import os
import socket

from broker.core.uids import ROOT
from broker.gateway.request_head import RequestHead
from broker.host.tcp_owner import owner_of_peer

USERNAME = "gateway"
CHALLENGE = (b"Proxy-Authenticate", b'Basic realm="token-broker gateway"')


class Admission:
    """`secret` is the password of the proxy's address."""

    def __init__(self, secret: str) -> None:
        self._expected = f"{USERNAME}:{secret}".encode()

    def admits(self, request: RequestHead) -> bool:
        """Whether the request has the secret. Takes the same time whatever is wrong with it."""
        values = request.values(b"proxy-authorization")
        scheme, _, encoded = (values[0] if len(values) == 1 else b"").partition(b" ")
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        return hmac.compare_digest(given, self._expected) and scheme.lower() == b"basic"


def is_own_peer(connection: socket.socket) -> bool:
    """Whether the other end of a loopback connection is a process of our user's or root's.

    True also where the system does not tell (macOS, no /proc): then the secret alone decides. False for an
    end that nobody holds any more: whose it was is not known, and nobody waits for an answer there.
    """
    owner = owner_of_peer(connection)
    return owner is None or (owner.is_open and owner.uid in {os.geteuid(), ROOT})
