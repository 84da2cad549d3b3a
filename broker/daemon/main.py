"""brokerd: arguments, the socket, signals, and what runs until the end.

The composition root: with `daemon/runtime.py` and `daemon/feed_table_builder.py` the only code that
imports from every package.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

import token_broker_client

from broker.api.asgi import AsgiApp
from broker.api.backend import About
from broker.api.fast_path import replies_of
from broker.config.files import ConfigFiles
from broker.config.paths import config_paths
from broker.core.access import SystemSocket
from broker.core.duration import positive_duration
from broker.core.failures import Failure
from broker.core.log_buffer import LogBuffer
from broker.core.why_not import Topic, WhyNot
from broker.daemon.desktop_notifier import DesktopNotifier
from broker.daemon.housekeeping import Ending, Housekeeper
from broker.daemon.plugins import with_plugins
from broker.daemon.runtime import Runtime
from broker.daemon.why_not_recorder import WhyNotRecorder
from broker.host import excepthooks, hardening
from broker.host.agent_session import leave_agent_session
from broker.host.clock import SystemClock
from broker.host.installation import installation_fingerprint
from broker.host.log_handlers import handlers_for
from broker.host.network_changes import NetworkChanges
from broker.host.sd_notify import Notifier
from broker.host.standard_streams import checked_stdout
from broker.host.subuid import SubuidRanges
from broker.host.systemd_socket import renew_socket
from broker.host.whereabouts import home_of
from broker.host.why_not_file import WhyNotFile, state_folder
from broker.providers.artifactory import ArtifactoryProvider
from broker.providers.azure.provider import AzureProvider
from broker.providers.basic import BasicProvider
from broker.providers.cloudsmith import CloudsmithProvider
from broker.providers.codeartifact.provider import CodeArtifactProvider
from broker.providers.command import CommandProvider
from broker.providers.gitlab import GitLabProvider
from broker.providers.google.provider import GoogleProvider
from broker.providers.nexus import NexusProvider
from broker.providers.oauth2 import OAuth2Provider
from broker.providers.protocol import ProviderClass
from broker.server.bound_socket import BoundSocket
from broker.server.http_server import HttpServer, ListenerSpec, any_peer
from broker.server.limits import Limits, raise_fd_limit
from broker.server.listen import BY_VARIABLE, NotListening, Taken

PROVIDERS: tuple[ProviderClass, ...] = (
    AzureProvider,
    GoogleProvider,
    CodeArtifactProvider,
    GitLabProvider,
    ArtifactoryProvider,
    CloudsmithProvider,
    NexusProvider,
    OAuth2Provider,
    BasicProvider,
    CommandProvider,
)
"""Every built-in provider; a new one is a file and its name here. `daemon/plugins.py` finds other ones."""

DRAIN_S = 10
"""Seconds that requests under way have at the end; those without an answer by then get a refusal."""

GOODBYE_S = 1
"""Seconds more for sending the refusals."""

log = logging.getLogger("broker.daemon")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal, or until there is nothing left to serve; returns the exit code."""
    with checked_stdout(_ended):
        options = argument_parser().parse_args(arguments)
    hardening.close_to_others()
    leave_agent_session(os.environ)
    log_buffer = LogBuffer()
    logging.basicConfig(handlers=handlers_for(os.environ, sys.stderr, log_buffer))
    excepthooks.say_all()
    try:
        place = _place(options)
        try:
            return asyncio.run(_serve(options, place, log_buffer))
        finally:
            place.close()
    except Failure as failure:
        if not isinstance(failure, Taken):  # then another daemon serves, whose record stays as it is
            _record(options, failure.detail, failure.hint)
        hint = f"; run: {failure.hint}" if failure.hint is not None else ""
        return _ended(f"{failure}{hint}")
    except token_broker_client.BrokerError as error:
        _record(options, str(error), None)
        return _ended(str(error))
    except Exception as defect:
        at = traceback.extract_tb(defect.__traceback__)[-1]
        place_of_it = f"{at.filename.rpartition('/')[2]} line {at.lineno}"
        _record(options, f"a defect in brokerd ({type(defect).__name__} in {place_of_it})", "brokerctl logs")
        raise


def _record_of(options: argparse.Namespace) -> WhyNotFile:
    """Where this daemon says why it does not serve. One with a socket of its own says it there alone."""
    try:
        socket = Path(options.socket or token_broker_client.socket_path()).absolute()
    except token_broker_client.SocketPathError:
        return WhyNotFile(None, _record_state(options))
    return WhyNotFile(socket, _record_state(options))


def _record_state(options: argparse.Namespace) -> Path | None:
    return None if options.socket or options.system else state_folder(os.environ, home_of(os.environ))


def _record(options: argparse.Namespace, detail: str, hint: str | None) -> None:
    """Leave the reason of a failed start for the doctor; systemd's journal has the system broker's."""
    if options.system:
        return
    why_not = WhyNot()
    why_not.tell(Topic.START, detail, at=SystemClock().now().wall, hint=hint)
    with contextlib.suppress(OSError, RuntimeError, token_broker_client.BrokerError):
        _record_of(options).write(why_not.reasons)


def _place(options: argparse.Namespace) -> BoundSocket:
    """The socket to listen on. The system broker's is systemd's: only root can open it to a group."""
    if options.system and options.socket is None:
        handed = BoundSocket.handed(os.environ)
        if handed is None:
            raise NotListening(
                "the system broker takes its socket from systemd", hint="systemctl start token-broker.socket"
            )
        return handed
    named = options.socket or token_broker_client.socket_path()
    named_by = "brokerd --socket " if options.socket else BY_VARIABLE
    is_own = token_broker_client.is_own_place(named.rpartition("/")[0])
    return BoundSocket.get(_absolute(named), os.environ, named_by=None if is_own else named_by)


def _absolute(named: str) -> Path:
    try:
        return Path(named).absolute()
    except OSError:
        raise NotListening(
            f"--socket {named} is relative, and the working directory is gone", hint="cd"
        ) from None


async def _serve(options: argparse.Namespace, place: BoundSocket, log_buffer: LogBuffer) -> int:
    asyncio.get_running_loop().set_exception_handler(excepthooks.in_loop)
    clock = SystemClock()
    notifier = Notifier(os.environ)
    paths = config_paths(options.config, os.environ, home_of(os.environ), system=options.system)
    files = ConfigFiles(paths.site, paths.env, paths.user, required=options.config is not None)
    about = About(version("token-broker"), os.getpid(), str(place.path), str(paths.user), clock.now())
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
            lifespan="off",
            opened=lambda: None if options.system else service.shares.begin(server.open),
        )
        housekeeper = Housekeeper(
            service,
            place,
            clock=clock,
            notifier=notifier,
            idle_exit_s=options.idle_exit,
            stamps=installation_fingerprint,
            renew_socket=lambda: renew_socket(os.environ),
        )
        serving = asyncio.create_task(server.serve())
        keeping = asyncio.create_task(service.keeper.loop.run())
        looking = asyncio.create_task(housekeeper.run())
        recorder = WhyNotRecorder(service, WhyNotFile(place.path, _record_state(options)))
        undo.callback(recorder.close)
        for task in (keeping, looking, asyncio.create_task(recorder.run())):
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


def argument_parser() -> argparse.ArgumentParser:
    """Return what brokerd takes on its command line; its manual page is made from this."""
    parser = argparse.ArgumentParser(
        prog="brokerd",
        description="Keeps fresh credentials for Python package feeds, and serves them on a Unix socket.",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration, instead of the user's own")
    parser.add_argument("--socket", metavar="PATH", help="where to listen, instead of the user's own socket")
    parser.add_argument(
        "--system",
        action="store_true",
        help="serve a group of users, as `allow` in the feeds of /etc/token-broker/system.toml says",
    )
    parser.add_argument(
        "--idle-exit",
        metavar="TIME",
        type=_duration,
        help='end after this long without a request, such as "1h"',
    )
    parser.add_argument("--version", action="version", version=f"token-broker {version('token-broker')}")
    return parser


def _duration(text: str) -> float:
    try:
        return positive_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _ended(why: str) -> int:
    sys.stderr.write(f"brokerd: {why}\n")
    return 1
