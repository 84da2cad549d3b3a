"""Who may use the gateway: who knows the run's secret and, where Linux tells it, runs as our user or root."""

import base64
import binascii
import hmac
import os
import socket
import sys
from pathlib import Path

from broker.gateway.request_head import RequestHead

USERNAME = "gateway"
CHALLENGE = (b"Proxy-Authenticate", b'Basic realm="token-broker gateway"')
ROOT = 0

_TABLE = Path("/proc/net/tcp")
_ESTABLISHED = "01"


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

    True also where the system does not tell (macOS, no /proc): then the secret alone decides. Reads the
    kernel's table, which takes a millisecond for some thousand connections.
    """
    try:
        here, there = connection.getsockname(), connection.getpeername()
        table = _TABLE.read_text("ascii")
    except OSError:
        return True
    ends = f"{_spelt(*there)} {_spelt(*here)} {_ESTABLISHED} "
    for line in table.splitlines():
        if ends in line:
            return int(line.split()[7]) in {os.geteuid(), ROOT}
    return True


def _spelt(address: str, port: int) -> str:
    """An end as proc_pid_net(5) has it: the address as a number in the machine's order, in hexadecimal."""
    number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    return f"{number:08X}:{port:04X}"
