"""The demo's stop-watch: look-ups and installs by the real programs, timed from their start to their end."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from broker.ctl import broker_process
from broker.ctl.command_error import CommandError
from broker.ctl.demo.index import LOOPBACK, USERNAME, DemoIndex
from broker.ctl.demo.wheel import PROJECT
from broker.ctl.exec.private_broker import PrivateBroker
from broker.host.clock import SystemClock

LIMIT_S = 60.0
LOOKUPS = 25
KEYRING_LOOKUPS = 5
"""Medians of these: ours take a millisecond and feel every other process, the library's a quarter second."""

_OTHERS_SETTINGS = ("UV_", "PIP_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
"""Variables of the user's that would lead uv, pip or Python elsewhere."""


@dataclass(frozen=True, slots=True)
class Run:
    """A look-up and the install after it; how often uv itself asked, and tokens fetched until then."""

    lookup_ms: float
    install_ms: float
    asked: int
    fetches: int


class Stage:
    """The programs that the demo runs, and the environment they run in."""

    def __init__(
        self, uv: str, broker: PrivateBroker, index: DemoIndex, token_command: Sequence[str]
    ) -> None:
        self._broker = broker
        self._index = index
        self._token_command = token_command
        self._uv = uv
        self._target = broker.directory / "site"
        own = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS_SETTINGS)}
        self._environment = broker.environment(own) | {
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
            # uv's own store wins over any keyring, and its lock file would stay behind
            "UV_CREDENTIALS_DIR": str(broker.directory / "uv"),
        }
        self._shim = str(broker.programs / "keyring")

    def run(self) -> Run:
        """Look up as uv does, then let uv install. Raises CommandError."""
        lookup_ms = self.lookup_ms()
        before = self.feed("lookups")
        options = ["--quiet", "--no-config", "--no-cache", "--no-deps", "--reinstall", "--link-mode", "copy"]
        user_dirs = ["--python", sys.executable, "--target", str(self._target)]
        index = ["--index-url", self._index.url.replace("://", f"://{USERNAME}@")]
        install_ms = self._took_ms([self._uv, "pip", "install", *options, *user_dirs, *index, PROJECT])
        return Run(lookup_ms, install_ms, self.feed("lookups") - before, self.feed("fetches"))

    def lookup_ms(self) -> float:
        """What uv waits for: the shim with uv's own arguments, from its start to its end."""
        return self._took_ms([self._shim, "get", self._index.url, USERNAME])

    def shim_ms(self) -> float:
        """The median of a few look-ups."""
        return median(self.lookup_ms() for _ in range(LOOKUPS))

    def keyring_ms(self) -> float | None:
        """The same by the keyring library's own command; None where it is not installed or has no answer."""
        try:
            command = [str(broker_process.beside_us("keyring")), "get", self._index.url, USERNAME]
            return median(self._took_ms(command) for _ in range(KEYRING_LOOKUPS))
        except CommandError:
            return None

    def token_command_ms(self) -> float:
        """What a look-up costs where nothing is kept: the token command itself."""
        return self._took_ms(self._token_command)

    def feed(self, count: str) -> int:
        """A count of the demo's feed, from the broker's status."""
        feeds = self._broker.read("/v1/status")["feeds"]
        return int(next(feed[count] for feed in feeds if feed["name"] == USERNAME))

    def _took_ms(self, command: Sequence[str]) -> float:
        clock = SystemClock()
        begun = clock.now()
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandError(f"{Path(command[0]).name} did not run ({type(error).__name__})") from None
        took_s = clock.now().boot_s - begun.boot_s
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise CommandError(f"{Path(command[0]).name} failed: {said[-1] if said else done.returncode}")
        return took_s * 1000


def uv_beside_us() -> str:
    """The uv beside us, else the one on PATH. Raises CommandError."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise CommandError("the demo needs uv", hint="pip install uv")
    return found
