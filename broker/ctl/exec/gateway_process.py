"""The gateway as a process: started, told what it needs, asked at the end what happened, and ended.

It lives as long as our end of its stdin, so that no way for us to end leaves it behind.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from broker.ctl.command_error import CommandError
from broker.gateway.instructions import Instructions

MODULE = "broker.gateway.gateway_main"
START_LIMIT_S = 20.0
"""Measured warm: 0.2 s."""

END_LIMIT_S = 5.0
CHUNK_BYTES = 65536
SAID_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """What the gateway tells at its end. `is_complete` is false where it ended before."""

    refused: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    is_complete: bool = False


class GatewayProcess:
    """A context manager: entering starts the process, which does not serve before it was instructed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes]
        self._said = b""
        self._has_served = False

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            # no variable of Python's and no working directory may change what is imported
            [sys.executable, "-E", "-P", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the command
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_served:
            self._hang_up()
        else:
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

    def serve(self, instructions: Instructions) -> tuple[int, str]:
        """Have it serve: its port on loopback, and the certificate of its authority. Raises CommandError."""
        with contextlib.suppress(OSError):  # it has ended, and what it said says why
            os.write(self._fileno(self._process.stdin), instructions.written())
        told = self._line(START_LIMIT_S)
        if told is None or "port" not in told:
            reason = (told or {}).get("error") or "it did not start"
            raise CommandError(f"the gateway cannot start: {reason}")
        return int(told["port"]), str(told["authority"])

    def report(self) -> GatewayReport:
        """End it, and return what it tells: nothing where it was still loading beside the command."""
        self._has_served = self._line(0) is not None
        if not self._has_served:
            return GatewayReport(is_complete=self._process.poll() is None)
        self._hang_up()
        told = self._line(END_LIMIT_S)
        if told is None:
            return GatewayReport()
        return GatewayReport(tuple(told.get("refused", ())), tuple(told.get("failed", ())), is_complete=True)

    def _hang_up(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _line(self, limit_s: float) -> dict[str, Any] | None:
        """The next line; None where there is none in time."""
        output = self._fileno(self._process.stdout)
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._said and len(self._said) < SAID_BYTES_MAX:
                if not selector.select(limit_s):
                    return None
                piece = os.read(output, CHUNK_BYTES)
                if not piece:
                    return None
                self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError:
            return None
        return told if isinstance(told, dict) else None

    @staticmethod
    def _fileno(pipe: object) -> int:
        fileno: int = pipe.fileno()  # type: ignore[attr-defined]
        return fileno
