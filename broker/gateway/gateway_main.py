"""The gateway's process: `brokerctl exec --gateway` starts it, tells it what it needs on its stdin, and ends
it by that pipe's end, however that comes. It writes no file; its authority and the run's secret are in its
memory alone, which is closed to other programs.

On stdin one line of JSON (`Instructions`); on stdout one with `port` and `authority`, or `error`; and, after
stdin has ended, one with `refused` and `failed`.
"""

import asyncio
import contextlib
import json
import os
import resource
import socket
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from broker.gateway.admission import Admission, is_own_peer
from broker.gateway.authority import RunAuthority
from broker.gateway.broker_link import BrokerLink
from broker.gateway.channel import SocketChannel
from broker.gateway.deadlines import Deadlines
from broker.gateway.host_rules import HostRules
from broker.gateway.injection import Injector
from broker.gateway.instructions import Instructions
from broker.gateway.run_report import RunReport
from broker.gateway.session import GatewayParts, Session
from broker.gateway.upstream import Upstream
from broker.gateway.upstream_proxy import ProxyAddressError, ProxyChoice
from broker.host.authorities import UnreadableAuthoritiesError, trusting_context
from broker.host.clock import Clock, SystemClock
from broker.host.hardening import close_to_others

LOOPBACK = "127.0.0.1"
BACKLOG = 1024
"""The kernel keeps who comes while all connections are taken (Linux cuts it to net.core.somaxconn)."""

CONNECTIONS_MAX = 512
DESCRIPTORS_EACH = 2
DESCRIPTORS_KEPT = 160
"""For the broker's socket, in as many threads as `broker_link` has, and for what the process has open."""


class Gateway:
    """Serves on a listening socket until it is cancelled."""

    def __init__(self, parts: GatewayParts, connections_max: int = CONNECTIONS_MAX) -> None:
        self._parts = parts
        self._places = asyncio.Semaphore(connections_max)
        self._sessions: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Accept while there is room; who comes then waits in the backlog."""
        listener.settimeout(0)
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._places.acquire()
                connection, _ = await loop.sock_accept(listener)
                session = asyncio.create_task(self._session(connection))
                self._sessions.add(session)
                session.add_done_callback(self._ended)
        finally:
            for session in self._sessions:
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    def _ended(self, session: asyncio.Task[None]) -> None:
        self._sessions.discard(session)
        self._places.release()

    async def _session(self, connection: socket.socket) -> None:
        if not is_own_peer(connection):
            connection.close()
            return
        try:
            await Session(SocketChannel(connection), self._parts).serve()
        except Exception as defect:  # noqa: BLE001 - one connection's defect is not the others'
            place = traceback.extract_tb(defect.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]} line {place.lineno}"
            self._parts.report.failed(f"a defect in the gateway ({type(defect).__name__} in {where})")
        finally:
            connection.close()


def made_parts(
    instructions: Instructions, environ: Mapping[str, str], clock: Clock, deadlines: Deadlines | None = None
) -> GatewayParts:
    """The parts of a gateway, in this environment. Raises ProxyAddressError, UnreadableAuthoritiesError."""
    deadlines = deadlines or Deadlines()
    rules = HostRules(
        instructions.feeds,
        instructions.shapes,
        instructions.domains,
        is_strict=instructions.is_strict,
        allowed=instructions.allowed,
    )
    report = RunReport()
    broker = BrokerLink(clock, deadlines.broker_start_s if instructions.broker_is_starting else 0.0)
    return GatewayParts(
        Admission(instructions.secret),
        RunAuthority(rules.names(), clock),
        rules,
        Upstream(ProxyChoice(environ), trusting_context(instructions.ca), deadlines),
        Injector(broker, report, clock),
        report,
        deadlines,
    )


async def _run(instructions: Instructions) -> None:
    try:
        parts = made_parts(instructions, os.environ, SystemClock())
        listener = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
    except (ProxyAddressError, UnreadableAuthoritiesError) as failure:
        _say({"error": str(failure)})
        return
    except OSError as failure:
        _say({"error": f"no port of {LOOPBACK} can be had: {(failure.strerror or '').lower()}"})
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _watch, ended)
    _say({"port": listener.getsockname()[1], "authority": parts.authority.certificate})
    serving = asyncio.create_task(Gateway(parts, _connections_max()).serve(listener))
    await ended.wait()
    listener.close()
    serving.cancel()
    _say({"refused": parts.report.refusals, "failed": parts.report.failures})
    os._exit(0)  # threads that wait for the broker would be waited for


def _watch(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        ended.set()


def _connections_max() -> int:
    """As many as there are descriptors for, after asking for all that we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(1, min(CONNECTIONS_MAX, (soft - DESCRIPTORS_KEPT) // DESCRIPTORS_EACH))


def _say(told: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # who started us has gone
        os.write(sys.stdout.fileno(), json.dumps(told).encode() + b"\n")


def main() -> None:
    """Serve until stdin ends."""
    close_to_others()
    line = sys.stdin.buffer.raw.readline() if hasattr(sys.stdin.buffer, "raw") else b""
    if line:
        asyncio.run(_run(Instructions.parsed(line)))


if __name__ == "__main__":
    main()
