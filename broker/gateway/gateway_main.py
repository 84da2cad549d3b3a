"""The gateway's process: `brokerctl exec --gateway` starts it, tells it what it needs on its stdin, and ends
it by that pipe's end, however that comes. It writes no file; its authority and the run's secret are in its
memory alone, which is closed to other programs.

On stdin one line of JSON (`Instructions`); on stdout one with `port` and `authority`, whereupon the command
may begin, or `error`; one with `serves` when the connections that wait are accepted; and, after stdin has
ended, one with `refused` and `failed`.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping

from broker.gateway.instructions import Instructions
from broker.gateway.preparation import Preparation, prepared
from broker.gateway.upstream_proxy import ProxyAddressError
from broker.host.authorities import UnreadableAuthoritiesError
from broker.host.clock import SystemClock
from broker.host.hardening import close_to_others

LOOPBACK = "127.0.0.1"
BACKLOG = 1024
"""The kernel keeps who comes before the gateway serves, and while all connections are taken (Linux cuts it to
net.core.somaxconn).
"""


def _run(instructions: Instructions) -> None:
    try:
        made = prepared(instructions, os.environ, SystemClock())
        listener = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
    except (ProxyAddressError, UnreadableAuthoritiesError) as failure:
        _say({"error": str(failure)})
        return
    except OSError as failure:
        _say({"error": f"no port of {LOOPBACK} can be had: {(failure.strerror or '').lower()}"})
        return
    _say({"port": listener.getsockname()[1], "authority": made.authority.certificate})
    _serve(instructions, made, listener)


def _serve(instructions: Instructions, made: Preparation, listener: socket.socket) -> None:
    """Load the rest while the command begins, and serve it. Does not return."""
    import asyncio  # noqa: PLC0415 - half of the start

    from broker.gateway.gateway_server import made_parts, serve  # noqa: PLC0415 - the same

    parts = made_parts(instructions, made, SystemClock())
    asyncio.run(serve(parts, listener, _say))


def _say(told: Mapping[str, object]) -> None:
    with contextlib.suppress(OSError):  # who started us has gone
        os.write(sys.stdout.fileno(), json.dumps(told).encode() + b"\n")


def main() -> None:
    """Serve until stdin ends."""
    close_to_others()
    line = sys.stdin.buffer.raw.readline() if hasattr(sys.stdin.buffer, "raw") else b""
    if line:
        _run(Instructions.parsed(line))


if __name__ == "__main__":
    main()
