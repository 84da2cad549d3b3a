"""Where the daemon leaves why it does not serve, for `brokerctl doctor` to find."""

import argparse
import contextlib
import os
from pathlib import Path

import token_broker_client

from broker.core.why_not import Topic, WhyNot
from broker.host.clock import SystemClock
from broker.host.whereabouts import home_of
from broker.host.why_not_file import WhyNotFile, state_folder


def record_failed_start(options: argparse.Namespace, detail: str, hint: str | None) -> None:
    """Leave the reason of a failed start for the doctor; systemd's journal has the system broker's."""
    if options.system:
        return
    why_not = WhyNot()
    why_not.tell(Topic.START, detail, at=SystemClock().now().wall, hint=hint)
    with contextlib.suppress(OSError, RuntimeError, token_broker_client.BrokerError):
        _file_of(options).write(why_not.reasons)


def state_folder_of(options: argparse.Namespace) -> Path | None:
    """The folder that also has this daemon's record. One with a socket of its own says it there alone."""
    return None if options.socket or options.system else state_folder(os.environ, home_of(os.environ))


def _file_of(options: argparse.Namespace) -> WhyNotFile:
    try:
        socket = Path(options.socket or token_broker_client.socket_path()).absolute()
    except token_broker_client.SocketPathError:
        return WhyNotFile(None, state_folder_of(options))
    return WhyNotFile(socket, state_folder_of(options))
