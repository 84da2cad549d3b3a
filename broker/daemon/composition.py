"""All parts of the daemon, built and connected; what runs until the end.

The composition root: with `daemon/runtime.py` and `daemon/feed_table_builder.py` the only code that imports
from every package. `main.py` comes here with a socket that clients can already connect to.
"""

import argparse
import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack

from broker.api.asgi import AsgiApp
from broker.api.backend import About
from broker.api.fast_path import replies_of
from broker.config.files import ConfigFiles
from broker.config.paths import config_paths
from broker.core.access import SystemSocket
from broker.core.log_buffer import LogBuffer
from broker.daemon.built_in_providers import PROVIDERS, load_all_soon
from broker.daemon.desktop_notifier import DesktopNotifier
from broker.daemon.housekeeping import Ending, Housekeeper
from broker.daemon.plugins import with_plugins
from broker.daemon.runtime import Runtime
from broker.daemon.start_record import state_folder_of
from broker.daemon.why_not_recorder import WhyNotRecorder
from broker.host import excepthooks
from broker.host.clock import SystemClock
from broker.host.installation import installation_fingerprint, installed_version
from broker.host.network_changes import NetworkChanges
from broker.host.sd_notify import Notifier
from broker.host.subuid import SubuidRanges
from broker.host.systemd_socket import renew_socket
from broker.host.whereabouts import home_of
from broker.host.why_not_file import WhyNotFile
from broker.server.bound_socket import BoundSocket
from broker.server.http_server import HttpServer
from broker.server.limits import Limits, raise_fd_limit
from broker.server.listener_spec import ListenerSpec, any_peer

DRAIN_S = 10
"""Seconds that requests under way have at the end; those without an answer by then get a refusal."""

GOODBYE_S = 1
"""Seconds more for sending the refusals."""

log = logging.getLogger("broker.daemon")


def run(options: argparse.Namespace, place: BoundSocket, log_buffer: LogBuffer) -> int:
    """Serve at this place until a signal, or until there is nothing left to serve; returns the exit code."""
    return asyncio.run(_serve(options, place, log_buffer))


async def _serve(options: argparse.Namespace, place: BoundSocket, log_buffer: LogBuffer) -> int:
    asyncio.get_running_loop().set_exception_handler(excepthooks.in_loop)
    clock = SystemClock()
    notifier = Notifier(os.environ)
    paths = config_paths(options.config, os.environ, home_of(os.environ), system=options.system)
    files = ConfigFiles.of(paths)
    version = installed_version() or "(not installed)"
    about = About(version, os.getpid(), str(place.path), str(paths.user), clock.now())
    async with AsyncExitStack() as undo:
        service = Runtime(
            about,
            files,
            clock=clock,
            environ=os.environ,
            classes=with_plugins(PROVIDERS),
            system=options.system,
            log_buffer=log_buffer,
        )
        undo.push_async_callback(service.close)
        if not options.system:  # that one has no user to tell
            undo.callback(DesktopNotifier(service.keeper, os.environ).close)
        undo.callback(NetworkChanges(lambda: service.keeper.ground_moved("network")).close)
        limits = Limits.for_fds(raise_fd_limit(), shared=options.system)
        spec = ListenerSpec(place.socket, reply=replies_of(service))
        if options.system:
            spec = ListenerSpec(place.socket, SystemSocket(), any_peer, account_of=SubuidRanges().account_of)
        server = HttpServer(
            AsgiApp(service),
            [spec],
            limits=limits,
            drain_s=DRAIN_S + GOODBYE_S,
            opened=lambda: None if options.system else service.shares.begin(server.open),
        )
        housekeeper = Housekeeper(
            service,
            place,
            clock=clock,
            notifier=notifier,
            idle_exit_s=options.idle_exit,
            stamps=installation_fingerprint,
            renew_socket=lambda: renew_socket(os.environ, system=options.system),
        )
        serving = asyncio.create_task(server.serve())
        keeping = asyncio.create_task(service.keeper.loop.run())
        looking = asyncio.create_task(housekeeper.run())
        recorder = WhyNotRecorder(service, WhyNotFile(place.path, state_folder_of(options)))
        undo.callback(recorder.close)
        for task in (keeping, looking, *map(asyncio.create_task, (recorder.run(), load_all_soon(clock)))):
            undo.callback(task.cancel)
        _on_signals(service, housekeeper)
        await asyncio.wait({serving, keeping, looking}, return_when=asyncio.FIRST_COMPLETED)
        notifier.stopping()
        service.end()
        server.stop()
        await asyncio.wait({serving}, timeout=DRAIN_S)
        service.keeper.close()
        await serving
        for task in (keeping, looking):
            if task.done() and not task.cancelled():
                task.result()  # a defect that ended one of them ends us as loudly
        ending = housekeeper.ending or Ending("the server ended", code=1)
        log.info("ended reason=%s", ending.reason)
        return ending.code


def _on_signals(service: Runtime, housekeeper: Housekeeper) -> None:
    """SIGTERM and SIGINT finish what is under way and end, SIGHUP reloads, SIGUSR1 forgets every token."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, housekeeper.end, f"signal {number.name}")
    loop.add_signal_handler(signal.SIGHUP, housekeeper.reload)
    loop.add_signal_handler(signal.SIGUSR1, service.keeper.forget_all)
