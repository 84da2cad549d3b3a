"""What answers while it is measured: brokerd with any number of feeds, the bare application, the C floor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from bench.bare import ANSWER
from bench.programs import built

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
EXCHANGED_BYTES = 2200
START_LIMIT_S = 120.0
SECRET = ANSWER.splitlines()[1]
URL = "https://feed-0.example/simple/"
CONSTANT = (
    f"HTTP/1.1 200 OK\r\ncontent-length: {len(ANSWER)}\r\n"
    f"content-type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{ANSWER}"
)


@dataclass(frozen=True)
class Server:
    """A running server: its socket, its process, and the seconds from its start to its first answer."""

    socket: Path
    pid: int
    started_s: float
    environment: dict[str, str]

    def ask(self, url: str = URL) -> bytes:
        """One look-up, as the shims ask it; raises OSError where nobody listens."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START_LIMIT_S)
            connection.connect(str(self.socket))
            connection.sendall(request(url))
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def resident_bytes(self) -> int:
        """What is in memory and belongs to this process alone or is shared with it (VmRSS)."""
        return _status(self.pid, "VmRSS:") * 1024

    def cpu_s(self) -> float:
        """Processor time that its main thread, which serves, has used: to the nanosecond."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


def order(path: str) -> bytes:
    """The bytes of a request that orders something done."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: broker\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ).encode()


def request(url: str = URL, username: str = "ci") -> bytes:
    """The bytes that a shim sends."""
    return (
        f"GET /v1/credential?url={quote(url, safe='')}&username={username}&wait=29.500 HTTP/1.1\r\n"
        "Host: broker\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
    ).encode()


def url_of(number: int, realms: int) -> str:
    """The address of a feed of `basic_feeds`."""
    path = "simple/" if number < realms else f"{number}/simple/"
    return f"https://feed-{number % realms}.example/{path}"


def basic_feeds(count: int, realms: int) -> str:
    """A configuration of `count` feeds with a password, on `realms` origins."""
    feeds = (
        f'[[feed]]\nname = "feed-{number}"\nurl = "{url_of(number, realms)}"\nprovider = "basic"\n'
        f'username = "ci"\nsecret = "env:BENCH_SECRET"\nverify = false\n'
        for number in range(count)
    )
    return "auto = false\n" + "".join(feeds)


@contextmanager
def brokerd(folder: Path, config: str, tree: Path | None = None) -> Iterator[Server]:
    """The daemon of this environment, or of a source tree with this environment's libraries, in a home of
    its own.
    """
    folder.mkdir(mode=0o700)
    path = folder / "config.toml"
    path.write_text(config)
    environment = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PATH": os.environ["PATH"]}
    command = [str(Path(sys.executable).parent / "brokerd")]
    if tree is not None:
        command = [sys.executable, "-P", "-c", "from broker.daemon.main import main; main()"]
        environment["PYTHONPATH"] = f"{tree}:{tree / 'client'}"
    with _running(
        [*command, "--config", str(path)], folder / "token-broker" / "broker.sock", environment
    ) as server:
        yield server


@contextmanager
def bare(folder: Path) -> Iterator[Server]:
    """The bare application."""
    command = [sys.executable, str(HERE / "bare.py"), str(folder / "bare.sock")]
    with _running(command, folder / "bare.sock", {**os.environ, "PYTHONPATH": str(HERE.parent)}) as server:
        yield server


@contextmanager
def constant(folder: Path) -> Iterator[Server]:
    """The floor. Its socket lies where the shims look for a broker's."""
    home = folder / "floor"
    (home / "token-broker").mkdir(mode=0o700, parents=True)
    program = built("cc", HERE / "constant.c", folder / "constant")
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ["PATH"]}
    path = home / "token-broker" / "broker.sock"
    with _running([str(program), str(path)], path, environment, CONSTANT) as server:
        yield server


@contextmanager
def exchange(folder: Path) -> Iterator[Server]:
    """A server in C that answers `floor.c` with 2,200 bytes, whatever it is sent."""
    program = built("cc", HERE / "constant.c", folder / "exchange")
    path = folder / "exchange.sock"
    with _running([str(program), str(path)], path, {}, "HTTP/1.1 200".ljust(EXCHANGED_BYTES)) as server:
        yield server


@contextmanager
def _running(
    command: Sequence[str], path: Path, environment: dict[str, str], stdin: str = ""
) -> Iterator[Server]:
    begun = time.perf_counter()
    running = subprocess.Popen(
        command,
        env={**environment, "BENCH_SECRET": SECRET},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert running.stdin is not None
        running.stdin.write(stdin.encode())
        running.stdin.close()
        yield _first_answer(Server(path, running.pid, 0.0, environment), running, begun)
    finally:
        running.send_signal(signal.SIGKILL if stdin else signal.SIGTERM)
        running.wait()


def _first_answer(server: Server, running: subprocess.Popen[bytes], begun: float) -> Server:
    while True:
        try:
            answer = server.ask()
        except OSError:
            answer = b""
        seconds = time.perf_counter() - begun
        if answer.startswith(b"HTTP/1.1 200"):
            return Server(server.socket, server.pid, seconds, server.environment)
        if running.poll() is not None or seconds > START_LIMIT_S:
            message = f"{running.args!r} does not answer: {answer[:200]!r}"
            raise RuntimeError(message)
        time.sleep(0.002)


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise KeyError(name)
