"""The real brokerd as a child of the test: started, waited for, spoken to, ended, and missed by nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.e2e.daemon_nursery import ForkedDaemon, forked_daemon
from tests.e2e.patience import PATIENCE_S, until
from tests.e2e.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

PROGRAM = Path(sysconfig.get_path("scripts")) / "brokerd"


class Brokerd:
    """One daemon. Entering returns when it serves; leaving ends it and checks how it ended.

    `program` is started; without one the daemon is forked, see `daemon_nursery.py`.
    """

    def __init__(
        self,
        *options: str,
        environment: Mapping[str, str],
        socket: Path,
        log: Path,
        program: Sequence[str | Path] | None = (PROGRAM,),
    ) -> None:
        self.wire = Wire(socket)
        self.ends_with = 0
        self._log = log
        self._program = program
        self._options = options
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | ForkedDaemon

    def __enter__(self) -> Self:
        self.start()
        try:
            until(lambda: self.wire.serves() or self._process.poll() is not None, "answer of brokerd")
            assert self._process.poll() is None, self.log
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self.end()
        if error is None:
            assert code == self.ends_with, f"{code}\n{self.log}"

    def start(self) -> None:
        """Start it and do not wait."""
        with self._log.open("ab") as log:
            if self._program is None:
                self._process = forked_daemon(self._options, self._environment, log.fileno())
                return
            self._process = subprocess.Popen(
                [*self._program, *self._options],
                env=self._environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def end(self) -> int:
        """SIGTERM, unless it has ended by itself; returns the exit code. Kills and raises when it hangs."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """The exit code, once it has ended. Kills it and raises when it does not."""
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def rss_kb(self) -> int:
        """The memory it has in use."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    @property
    def cpu_s(self) -> float:
        """The processor time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def log(self) -> str:
        """All that it has said so far."""
        return self._log.read_text()

    def wait_for_log(self, words: str) -> None:
        """Return when it has said these words."""
        until(lambda: words in self.log, f"{words!r} in the log")
