"""Daemons that are forked from a process which has loaded the program: a test pays for what its daemon does,
not for the half second that a start takes.

A forked daemon has the options, variables, directory, log, exit code and signals of a started one, and a
process id of its own. It differs in what `/proc` says of its command line and environment, in the memory that
it uses, and in what is loaded when: tests of those start the program. Next: `brokerd.py`, which offers both.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import functools
import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUESTS = 0
"""The descriptor on which the nursery is asked for daemons."""

SAID_BYTES_MAX = 1 << 17
LOADED = (
    "broker.daemon.composition",
    "broker.api.fastapi_app",
    "broker.api.metrics",
    "broker.providers.azure.azure_transport",
    *("httpx", "anyio._backends._asyncio", "uvicorn.lifespan.off", "azure.identity", "msal"),
)
"""And the providers: all that a daemon loads sooner or later. None reads a variable that tests set."""


DRAIN_S = "DRAIN_S_OF_A_FORKED_DAEMON"
"""A variable that has a forked daemon wait so many seconds at its end instead of `composition.DRAIN_S`."""


class ForkedDaemon:
    """As much of a Popen as `Brokerd` uses."""

    def __init__(self, way: socket.socket) -> None:
        self._way = way
        self.pid = int.from_bytes(way.recv(4, socket.MSG_WAITALL))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; minus the signal's number if one ended it."""
        if self.returncode is None:
            self._way.settimeout(timeout)
            try:
                told = self._way.recv(4)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("a forked brokerd", timeout or 0) from None
            assert told, "the nursery is gone"
            self.returncode = int.from_bytes(told, signed=True)
            self._way.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def forked_daemon(options: Sequence[str], environment: Mapping[str, str], log: int) -> ForkedDaemon:
    """A daemon that runs in / and writes to the descriptor `log`."""
    assert not any(name.startswith("PYTHON") for name in environment), "what Python reads at its start"
    way, nurserys_end = socket.socketpair()
    said = repr((list(options), dict(environment))).encode()
    assert len(said) <= SAID_BYTES_MAX
    with nurserys_end:
        socket.send_fds(_nursery(), [said], [log, nurserys_end.fileno()])
    return ForkedDaemon(way)


@functools.cache
def _nursery() -> socket.socket:
    """The way to this process's nursery, which ends with it."""
    asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (asking, asked):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * SAID_BYTES_MAX)
    with asked:
        running = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=asked.fileno(), stdout=subprocess.DEVNULL, cwd="/"
        )

    def finish() -> None:
        asking.close()
        running.wait()

    atexit.register(finish)
    return asking


def serve() -> None:
    """Fork a daemon for each request until the tests end. Returns in a daemon, which is to run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(fileno=os.dup(REQUESTS)) as asked:
        while True:
            said, descriptors, *_ = socket.recv_fds(asked, SAID_BYTES_MAX, 2)
            _bury()
            if not said:
                sys.exit()
            if os.fork() == 0:
                break
            for descriptor in descriptors:
                os.close(descriptor)
    _be_the_daemon(*ast.literal_eval(said.decode()), *descriptors)


def _bury() -> None:
    """Wait for whoever has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _be_the_daemon(options: list[str], environment: Mapping[str, str], log: int, way: int) -> None:
    """Return as what was asked for; stay behind as its parent, which tells its id and how it ended."""
    pid = os.fork()
    if pid:
        os.write(way, pid.to_bytes(4))
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(way, os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.close(way)
    os.environ.clear()
    os.environ.update(environment)
    if drain_s := os.environ.pop(DRAIN_S, None):
        setattr(sys.modules["broker.daemon.composition"], "DRAIN_S", float(drain_s))  # noqa: B010 - a constant
    sys.argv = ["brokerd", *options]


if __name__ == "__main__":
    for module in LOADED:
        importlib.import_module(module)
    from broker.daemon.built_in_providers import PROVIDERS
    from broker.daemon.main import main

    for provider in PROVIDERS:
        _ = provider.provider_class
    serve()
    sys.exit(main())
