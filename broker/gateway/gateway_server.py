"""The gateway at work: accepts the command's connections, and serves each until it ends."""

import asyncio
import contextlib
import os
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

from broker.core.defect import name_of
from broker.gateway.admission import Admission, is_own_peer
from broker.gateway.broker_link import BrokerLink
from broker.gateway.channel import SocketChannel
from broker.gateway.deadlines import Deadlines
from broker.gateway.injection import Injector
from broker.gateway.instructions import Instructions
from broker.gateway.preparation import Preparation
from broker.gateway.run_report import RunReport
from broker.gateway.session import GatewayParts, Session
from broker.gateway.upstream import Upstream
from broker.host.clock import Clock

CONNECTIONS_MAX = 512
DESCRIPTORS_EACH = 2
DESCRIPTORS_KEPT = 224
"""For the broker's socket, in as many threads as `broker_link` has, for idle connections, and for what the
process has open.
"""


class Gateway:
    """Serves on a listening socket until it is cancelled."""

    def __init__(self, parts: GatewayParts, connections_max: int = CONNECTIONS_MAX) -> None:
        self._parts = parts
        self._places = asyncio.Semaphore(connections_max)
        self._sessions: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Accept while there is room; who comes then waits in the backlog."""
        listener.settimeout(0)
        try:
            while True:
                await self._places.acquire()
                connection = await self._accepted(listener)
                session = asyncio.create_task(self._session(connection))
                self._sessions.add(session)
                session.add_done_callback(self._ended)
        finally:
            for session in self._sessions:
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)
            self._parts.upstream.idle.close()

    async def _accepted(self, listener: socket.socket) -> socket.socket:
        """The next connection. That there is no room for one passes; the port stays readable meanwhile."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return (await loop.sock_accept(listener))[0]
            except OSError:
                await asyncio.wait({loop.create_future()}, timeout=self._parts.deadlines.scarce_s)

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
            self._parts.report.failed(f"a defect in the gateway ({name_of(defect)})")
        finally:
            connection.close()


def made_parts(
    instructions: Instructions, made: Preparation, clock: Clock, deadlines: Deadlines | None = None
) -> GatewayParts:
    """The parts of a gateway."""
    deadlines, report = deadlines or Deadlines(), RunReport()
    return GatewayParts(
        Admission(instructions.secret),
        made.authority,
        made.rules,
        Upstream(made.proxies, made.trusted, deadlines),
        Injector(BrokerLink(instructions.socket), report, clock),
        report,
        deadlines,
    )


async def serve(
    parts: GatewayParts, listener: socket.socket, say: Callable[[Mapping[str, object]], None]
) -> NoReturn:
    """Serve until stdin ends, and end the process; `say` is told of the beginning and of the end."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _watch, ended)
    serving = asyncio.create_task(Gateway(parts, _connections_max()).serve(listener))
    say({"serves": True})
    await ended.wait()
    listener.close()
    serving.cancel()
    say({"refused": parts.report.refusals, "failed": parts.report.failures})
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
