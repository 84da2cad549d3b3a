"""The gateway's process: `brokerctl exec --gateway` starts it, tells it what it needs on its stdin, and ends
it by that socket's end, however that comes. It writes nothing but its authority's certificate into files that
it is handed; the authority's key and the run's secret are in its memory alone, which is closed to others.

On stdin, a socket, one line of JSON (`Instructions`), with its first byte the descriptors of the listening
socket and of the files. On stdout one line with `authority`, when the files are complete and closed; one with
`serves` when the connections that wait are accepted, or `error`; and, after stdin has ended, one with
`refused` and `failed`.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from broker.gateway.authority import RunAuthority
from broker.gateway.instructions import Instructions
from broker.host.clock import SystemClock
from broker.host.hardening import close_to_others
from broker.host.held_file import write_all

DESCRIPTORS_MAX = 16
"""Of the listening socket and of as many files as there are variables that name one."""

CHUNK_BYTES = 65536


def _run(instructions: Instructions, listener: socket.socket, bundles: Sequence[int]) -> None:
    authority = RunAuthority(instructions.rules.names(), SystemClock())
    with contextlib.suppress(OSError):  # a full disk: clients will say that they do not trust the gateway
        for bundle in bundles:
            write_all(bundle, authority.certificate.encode("ascii"))
    for bundle in bundles:
        os.close(bundle)
    _say({"authority": True})
    _serve(instructions, authority, listener)


def _serve(instructions: Instructions, authority: RunAuthority, listener: socket.socket) -> None:
    """Load the rest while the command begins, and serve it. Returns where that cannot be."""
    import asyncio  # noqa: PLC0415 - half of the start

    from broker.gateway.gateway_server import made_parts, serve  # noqa: PLC0415 - the same
    from broker.gateway.preparation import prepared  # noqa: PLC0415 - the same
    from broker.gateway.upstream_proxy import ProxyAddressError  # noqa: PLC0415 - the same
    from broker.host.authorities import UnreadableAuthoritiesError  # noqa: PLC0415 - the same

    try:
        made = prepared(instructions, os.environ, authority)
    except (ProxyAddressError, UnreadableAuthoritiesError) as failure:
        _say({"error": str(failure)})
        return
    asyncio.run(serve(made_parts(instructions, made, SystemClock()), listener, _say))


def _say(told: Mapping[str, object]) -> None:
    with contextlib.suppress(OSError):  # who started us has gone
        os.write(sys.stdout.fileno(), json.dumps(told).encode() + b"\n")


def main() -> None:
    """Serve until stdin ends."""
    close_to_others()
    told = socket.socket(fileno=sys.stdin.fileno())
    line, descriptors, _, _ = socket.recv_fds(told, CHUNK_BYTES, DESCRIPTORS_MAX)
    while line and not line.endswith(b"\n"):
        more = told.recv(CHUNK_BYTES)
        line = line + more if more else b""
    told.detach()  # its end is watched by the descriptor
    if line:
        listening, *bundles = descriptors
        _run(Instructions.parsed(line), socket.socket(fileno=listening), bundles)


if __name__ == "__main__":
    main()
