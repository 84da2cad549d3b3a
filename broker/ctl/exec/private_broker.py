"""A private broker: for one command or one demo, in a directory of its own, gone when we are.

However we end, it does: when we are killed outright, the end of a pipe tells a tiny shell process, which
outlives us by a moment for that alone. Linux could do it by PR_SET_PDEATHSIG; macOS could not.
"""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import token_broker_client as client

from broker.core.secret_source import PRIVATE
from broker.ctl import api_client, broker_process
from broker.host.whereabouts import own_runtime_directory

SOCKET_NAME = "broker.sock"
LOG_NAME = "brokerd.log"
READY_NAME = "ready.sock"
"""What the broker tells here, as it tells a service manager: sd_notify(3)."""

BACKLOG = 4096
"""Look-ups that may wait while the broker starts; the kernel cuts it to net.core.somaxconn."""

STOP_LIMIT_S = 12.0
"""Longer than brokerd gives the answers that are under way (10 s)."""

OWN_PATH_BYTES = len("/token-broker-12345678/") + len(SOCKET_NAME)
"""What we add to the path of the directory that the private one lies in."""

ENDING_S = 5.0
"""So long a broker that hung up has to end and say why; an idle machine needs a twentieth of a second."""

LAST_RESORT = "24h"
"""Where the reaper is killed too, the broker ends after a day without a look-up."""

REAPER = 'read -r _ && exit; kill "$1"; rm -rf "$2"'
"""A line on its stdin: all is cleaned up. The end of its stdin without one: we are dead."""

WATCHER = """\
while read -r pid; do [ -n "$pid" ] || exit; pids="$pids $pid"; done
[ -z "$pids" ] || kill $pids
rm -rf "$1"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do kill -0 $pids 2>&- || break; sleep 1; done
rm -rf "$1"
"""
"""The same for who starts more processes while it runs: their ids come as lines, an empty one is the end. It
is there before the directory is. What was told to end may write until it has, so removing is repeated.
"""

_NOT_FOR_BROKERS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "TOKEN_BROKER_PASSED")
"""Whose service manager started us waits for our word, not for the private broker's."""


@dataclass(frozen=True, slots=True)
class PrivateBroker:
    """A place for a broker; `programs` is a directory in it with nothing but `keyring`."""

    directory: Path
    watcher: int | None = None
    """A descriptor to which the id of what is started here is written."""

    @property
    def programs(self) -> Path:
        """What goes first on PATH."""
        return self.directory / "bin"

    @property
    def socket(self) -> str:
        """Where the broker answers, while `serving`."""
        return str(self.directory / SOCKET_NAME)

    @property
    def log(self) -> Path:
        """What the broker says."""
        return self.directory / LOG_NAME

    @property
    def variables(self) -> dict[str, str]:
        """What uv and pip need besides PATH so that they ask this broker, and leave no other one behind."""
        return {
            "TOKEN_BROKER_SOCKET": self.socket,
            "TOKEN_BROKER_AUTOSTART": "0",
            "UV_KEYRING_PROVIDER": "subprocess",
            "PIP_KEYRING_PROVIDER": "subprocess",
        }

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment of a command whose uv and pip are to ask this broker."""
        path = inherited.get("PATH", os.defpath)
        kept = {name: value for name, value in inherited.items() if name != "TOKEN_BROKER_PASSED"}
        return kept | self.variables | {"PATH": f"{self.programs}{os.pathsep}{path}"}

    @contextlib.contextmanager
    def serving(self, config: Path | None = None) -> Iterator[None]:
        """While in it, the broker answers, with the user's configuration or `config`. Raises CommandError."""
        options = [] if config is None else ["--config", str(config)]
        child = self.start(LAST_RESORT, options)
        try:
            broker_process.wait_until_it_answers(child, self.log, self.socket)
            yield
        finally:
            end(child)

    @contextlib.contextmanager
    def starting(self) -> Iterator["StartingBroker"]:
        """While in it, the broker starts and answers: look-ups wait at its socket, which is there already.

        Nothing is waited for at the end, either: `private_broker` sees to it that the broker ends.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(self.directory / READY_NAME))
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(self.socket)  # in a directory that no other user can enter
                Path(self.socket).chmod(0o600)
                listening.listen(BACKLOG)
                child = self.start(LAST_RESORT, listening=listening.fileno())
            # our copy is closed: where the broker ends early, nobody waits at a socket that nobody serves
            try:
                yield StartingBroker(child, ready)
            finally:
                if child.poll() is None:
                    child.returncode = 0  # the watcher ends it

    def start(
        self,
        idle_exit: str,
        options: Sequence[str] = (),
        kept: Sequence[int] = (),
        listening: int | None = None,
    ) -> "subprocess.Popen[bytes]":
        """The broker's process, which may not answer yet; `listening` is its socket, if it has one. It keeps
        the descriptors `kept` open.
        """
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_BROKERS}
        environment[PRIVATE] = "1"
        environment["TOKEN_BROKER_NOTIFY"] = "0"  # noqa: S105 - exec tells at the end of the command
        if listening is not None:
            environment["NOTIFY_SOCKET"] = str(self.directory / READY_NAME)
        arguments = ["--socket", self.socket, "--idle-exit", idle_exit, *options]
        return broker_process.launch(
            arguments, self.log, environment, kept, watcher=self.watcher, listening=listening
        )

    def read(self, path: str, query: Mapping[str, str | None] | None = None) -> api_client.Json:
        """The object that GET `path` answers. Raises CommandError."""
        return api_client.read(path, query, socket=self.socket)


@dataclass(frozen=True, slots=True)
class StartingBroker:
    """A broker's process that is not waited for, and where it says that it answers."""

    child: "subprocess.Popen[bytes]"
    ready: socket.socket

    def is_new(self) -> bool:
        """True until it answers or has ended: up to now no look-up had an answer."""
        try:
            self.ready.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        except BlockingIOError:
            return self.child.poll() is None
        return False

    def wait_for_its_end(self) -> None:
        """Return when it has ended, after ENDING_S at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(ENDING_S)


@contextlib.contextmanager
def private_broker(*, waits: bool = True) -> Iterator[PrivateBroker]:
    """A private broker that does not serve yet; its directory is gone afterwards. Raises CommandError.

    What was started in it has ended by then where it `waits`; else the watcher ends it a moment later.

    The end of this process, of whatever kind, ends what was started in it and removes the directory, too.
    """
    shim = broker_process.beside_us("keyring-shim")
    directory = Path(_base()) / f"token-broker-{os.urandom(4).hex()}"
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", WATCHER, "token-broker", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the command
    )

    try:
        directory.mkdir(mode=0o700)
        yield _furnished(directory, shim, None if watcher.stdin is None else watcher.stdin.fileno())
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if waits:
            watcher.communicate(b"\n")
        else:
            if watcher.stdin is not None:
                watcher.stdin.close()
            watcher.returncode = 0  # it goes on alone


def made_private_broker() -> PrivateBroker:
    """A private broker that does not serve yet, in a new directory that is the caller's to remove."""
    import tempfile  # noqa: PLC0415 - not for a command

    shim = broker_process.beside_us("keyring-shim")
    return _furnished(Path(tempfile.mkdtemp(prefix="token-broker-", dir=_base())), shim)  # 0700


def _furnished(directory: Path, shim: Path, watcher: int | None = None) -> PrivateBroker:
    broker = PrivateBroker(directory, watcher)
    broker.programs.mkdir()
    (broker.programs / "keyring").symlink_to(shim)
    return broker


def _base() -> str:
    """The runtime directory if it is ours alone and short enough, else /tmp ($TMPDIR is long on macOS)."""
    runtime = own_runtime_directory(os.environ)
    if runtime is not None and len(os.fsencode(runtime)) + OWN_PATH_BYTES <= client.SOCKET_PATH_BYTES:
        return runtime
    return "/tmp"  # noqa: S108 - mkdtemp makes a directory there that only we can enter


def end(child: "subprocess.Popen[bytes]") -> None:
    """End a broker that `start` has started, and wait until it has."""
    child.terminate()
    try:
        child.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
