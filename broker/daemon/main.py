"""brokerd: arguments, the socket, and why it does not serve.

The socket comes first, and loads little: whom it is refused hears so at once, and clients wait in its backlog
while `composition.py` loads the rest.
"""

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import token_broker_client

from broker.core.defect import name_of
from broker.core.duration import positive_duration
from broker.core.failures import Failure
from broker.core.log_buffer import LogBuffer
from broker.core.shortage import shortage_of
from broker.host import excepthooks, hardening
from broker.host.agent_session import leave_agent_session
from broker.host.installation import cause_outside, installed_version
from broker.host.log_handlers import handlers_for
from broker.host.standard_streams import checked_stdout, tell
from broker.server.bound_socket import BoundSocket
from broker.server.listen import BY_VARIABLE, NotListening, Taken


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
            _end_by_signals()
            gc.disable()  # what is loaded stays: to search it for garbage is a twentieth of the start
            from broker.daemon.composition import run  # noqa: PLC0415 - what a refused socket need not load

            gc.freeze()
            gc.enable()
            return run(options, place, log_buffer)
        finally:
            place.close()
            gc.freeze()  # Python ends with a search through all that is left, which takes 0.1 s
    except Failure as failure:
        if not isinstance(failure, Taken):  # then another daemon serves, whose record stays as it is
            _record(options, failure.detail, failure.hint)
        hint = f"; run: {failure.hint}" if failure.hint is not None else ""
        return _ended(f"{failure}{hint}")
    except token_broker_client.BrokerError as error:
        _record(options, str(error), None)
        return _ended(str(error))
    except Exception as defect:
        shortage = shortage_of(defect)
        if shortage is not None:
            detail = f"this machine refused it: {shortage}"
            _record(options, detail, None)
            return _ended(detail)
        said = f"a defect in brokerd ({name_of(defect)})"
        _record(options, said, cause_outside(defect, "brokerctl start") or "brokerctl logs")
        raise


def _record(options: argparse.Namespace, detail: str, hint: str | None) -> None:
    from broker.daemon.start_record import record_failed_start  # noqa: PLC0415 - for a failure only

    record_failed_start(options, detail, hint)


def _end_by_signals() -> None:
    """Until the loop has handlers of its own a signal that ends us still removes the socket; a request to
    read the configuration or to forget comes before there is any. Who started us may have blocked them all:
    no child of ours, nor we, could then be ended by one.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _place(options: argparse.Namespace) -> BoundSocket:
    """The socket to listen on. The system broker's is systemd's: only root can open it to a group."""
    if options.system and options.socket is None:
        handed = BoundSocket.handed(os.environ, system=True)
        if handed is None:
            raise NotListening(
                "the system broker takes its socket from systemd",
                hint="sudo systemctl start token-broker.socket",
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
    told = f"token-broker {installed_version() or '(not installed)'}"
    parser.add_argument("--version", action="version", version=told)
    return parser


def _duration(text: str) -> float:
    try:
        return positive_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _ended(why: str) -> int:
    tell(f"brokerd: {why}")
    return 1
