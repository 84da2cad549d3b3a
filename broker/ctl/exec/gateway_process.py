"""The gateway as a process: started, told what it needs, asked at the end what happened, and ended.

It lives as long as our end of its stdin, so that no way for us to end leaves it behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from broker.ctl.command_error import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from broker.gateway.instructions import Instructions

MODULE = "broker.gateway.gateway_main"
START_LIMIT_S = 20.0
"""Measured warm: 0.2 s."""

END_LIMIT_S = 5.0
CHUNK_BYTES = 65536
SAID_BYTES_MAX = 1 << 20


class GatewayReport(NamedTuple):
    """What the gateway tells at its end. `is_complete` is false where it ended before."""

    refused: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    is_complete: bool = False


class GatewayProcess:
    """A context manager: entering starts the process, which does not serve before it was instructed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes]
        self._said = b""
        self._has_served = False

    def __enter__(self) -> Self:
        self._ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    # no variable of Python's and no working directory may change what is imported
                    [sys.executable, "-E", "-P", "-m", MODULE],
                    stdin=theirs.fileno(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for the command
                )
        except BaseException:
            self._ours.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ours.close()
        if not self._has_served:
            self._process.kill()  # it still loads, and has nothing to tell or to tidy up
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def instruct(
        self, instructions: Instructions, listener: socket.socket, bundles: Sequence[int], /
    ) -> None:
        """Have it serve the listening socket, once its authority stands in the bundles, open for writing."""
        line = instructions.written()
        with contextlib.suppress(OSError):  # it has ended, and what it said says why
            socket.send_fds(self._ours, [line[:1]], [listener.fileno(), *bundles])
            self._ours.sendall(line[1:])

    def wait_for_authority(self) -> None:
        """Return when the bundles are complete. Raises CommandError."""
        told = self._line(START_LIMIT_S)
        if told is None or "error" in told:
            raise _not_started(told)

    def report(self) -> GatewayReport:
        """End it, and return what it tells: nothing where it was still loading beside the command.

        Raises CommandError where it could not start.
        """
        while not self._has_served and (told := self._line(0)) is not None:
            if "error" in told:
                raise _not_started(told)
            self._has_served = "serves" in told
        if not self._has_served:
            return GatewayReport(is_complete=self._process.poll() is None)
        self._ours.close()
        told = self._line(END_LIMIT_S)
        if told is None:
            return GatewayReport()
        return GatewayReport(tuple(told.get("refused", ())), tuple(told.get("failed", ())), is_complete=True)

    def _line(self, limit_s: float) -> dict[str, Any] | None:
        """The next line; None where there is none in time."""
        output = self._process.stdout
        if output is None:
            return None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._said and len(self._said) < SAID_BYTES_MAX:
                if not selector.select(limit_s):
                    return None
                piece = os.read(output.fileno(), CHUNK_BYTES)
                if not piece:
                    return None
                self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError:
            return None
        return told if isinstance(told, dict) else None


def _not_started(told: dict[str, Any] | None) -> CommandError:
    reason = (told or {}).get("error") or "it did not start"
    return CommandError(f"the gateway cannot start: {reason}")
