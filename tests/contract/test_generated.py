"""Both shims say the same of services by the thousand, each run as one process that looks up again and again.

The broker answers by the question alone, with a digest of all that it was asked: what comes out is the same
only if what went in was.
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract import answer_tables
from tests.contract.conftest import Session, installed
from tests.contract.shims import CLIENT, FLAGS, RUN_LIMIT_S, compiler

NATIVE = Path(__file__).parent / "native"
SEED = 20_260_101
FEW, MANY = 3_000, 100_000
PROBLEM = "HTTP/1.1 {} X\r\ncontent-length: {}\r\n\r\n{}"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")


class OracleBroker(threading.Thread):
    """Answers each connection by its question, until it is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(mode=0o700)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(os.fspath(path))
        path.chmod(0o600)
        self._listening.listen(128)
        self.asked = 0

    def run(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    part = connection.recv(65536)
                    if not part:
                        return  # by close()
                    request += part
                self.asked += 1
                connection.sendall(self.answer(request))

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self._listening.getsockname())
        self.join()
        self._listening.close()

    @staticmethod
    def answer(request: bytes) -> bytes:
        """Return one of the tables' answers, most often a credential that says what was asked."""
        head, _, rest = request.partition(b"&wait=")
        asked = hashlib.sha256(head + rest.partition(b" ")[2]).hexdigest()
        kind = int(asked[:2], 16)
        if kind < 128:
            return answer_tables.ok(f"Fred-{asked}\ns3cret-{asked}\n".encode())
        if kind < 192:
            status = (400, 404, 409, 401, 403, 500, 502, 503)[kind % 8]
            body = f"{asked}; run: it\n"
            return PROBLEM.format(status, len(body), body).encode()
        every = (
            *answer_tables.GOOD.values(),
            *answer_tables.MALFORMED.values(),
            *answer_tables.HALF.values(),
        )
        short = [each for each in every if len(each) < 1000]
        return short[kind % len(short)]


@dataclass(frozen=True)
class Ending:
    """How one look-up of a batch ended; `marked`: a password was left in the program's memory."""

    code: int
    marked: bool
    stdout: bytes
    stderr: bytes


HOSTS = (
    *("feed.example", "FEED.Example.", "10.0.0.1", "[::1]", "pkgs.dev.azure.com"),
    *("xn--bcher-kva.example", "a_b", ""),
)
PATHS = (
    *("", "/", "/simple/", "/acme/_packaging/corp/pypi/simple/", "/%2e%2e/x", "/../x", "//x"),
    *("/a b", "/ä", "/x;y"),
)
QUERIES = ("", "", "?a=b&c=d", "#fragment", "?url=x&username=y")
WORDS = (
    *("poetry-repository-x", "python-poetry-check", "-", "localhost", "::1", "host:", "host:99999"),
    *("%", "\x7f", "\n"),
)
USERNAMES = (
    *(None, None, b"", b"Fred", b"VssSessionToken", b"a@b", b"%20", "jörg".encode(), b" x"),
    *(b"u" * 1024, b"u" * 1025),
)
MODES = (
    *((), ("--mode=creds",), ("--mode", "creds"), ("--mode=creds", "--output=json")),
    *(("--output=json",), ("--mode=password",)),
)


def service(source: random.Random) -> bytes:
    """Return a service of any kind: a URL in all its parts, a word, bytes at random, far too long."""
    kind = source.randrange(10)
    if kind < 6:
        scheme = source.choice(("https://", "http://", "HTTPS://", "ftp://", ""))
        user = source.choice(("", "", "", "user@", "user:pass@", "%40@", "@"))
        port = source.choice(("", "", ":443", ":8443", ":0", ":x", ":"))
        parts = (scheme, user, source.choice(HOSTS), port, source.choice(PATHS), source.choice(QUERIES))
        return "".join(parts).encode()
    if kind < 8:
        return source.choice(WORDS).encode()
    if kind == 8:
        return bytes(source.randrange(1, 256) for _ in range(source.randrange(1, 60)))
    return b"https://feed.example/" + b"x" * source.choice((100, 8171, 8172, 8300))


def generated(count: int) -> list[list[bytes]]:
    """Return so many command lines, the same each time."""
    source = random.Random(SEED)  # noqa: S311 - a test's data, not a secret
    lines = []
    for _ in range(count):
        username = source.choice(USERNAMES)
        words = [b"get", service(source), *([] if username is None else [username])]
        options = [option.encode() for option in source.choice(MODES)]
        lines.append([*options, *words] if source.random() < 0.5 else [*words, *options])
    return lines


def looked_up(command: list[str], lines: list[list[bytes]], environment: dict[str, str]) -> list[Ending]:
    """Run the batch and return each look-up's ending."""
    cases = b"".join(
        bytes((len(line),)) + b"".join(struct.pack("@I", len(word)) + word for word in line) for line in lines
    )
    done = subprocess.run(
        command, input=cases, env=environment, capture_output=True, check=False, timeout=20 * RUN_LIMIT_S
    )
    assert (done.returncode, done.stderr) == (0, b"")
    endings, at = [], 0
    while at < len(done.stdout):
        code, marked = done.stdout[at : at + 2]
        at += 2
        texts = []
        for _ in range(2):
            (size,) = struct.unpack_from("@I", done.stdout, at)
            texts.append(done.stdout[at + 4 : at + 4 + size])
            at += 4 + size
        endings.append(Ending(code, bool(marked), *texts))
    return endings


@pytest.fixture
def batches(place: Path, session: Session) -> tuple[list[str], list[str]]:
    """The commands of the native and the Python batch, with the session's system broker."""
    tool = compiler()
    if tool is None:
        pytest.skip("no C compiler here: the native shim cannot be built")
    program = str(place / "batch")
    system = f'-DSYSTEM_SOCKET="{session.system_socket}"'
    source = str(NATIVE / "batch.c")
    command = [tool, *FLAGS, "-I", str(CLIENT), system, "-o", program, source]
    subprocess.run(command, check=True, timeout=RUN_LIMIT_S)
    python = installed(session, "python").parent / "python"
    return [program], [str(python), str(NATIVE / "batch.py")]


@pytest.fixture
def oracle(environment: dict[str, str]) -> Iterator[OracleBroker]:
    broker = OracleBroker(Path(environment["XDG_RUNTIME_DIR"], "token-broker", "broker.sock"))
    broker.start()
    yield broker
    broker.close()


@linux_only
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_both_shims_agree_on_generated_services(
    batches: tuple[list[str], list[str]], oracle: OracleBroker, environment: dict[str, str], count: int
) -> None:
    lines = generated(count)
    alone = {**environment, "TOKEN_BROKER_AUTOSTART": "0"}

    native = looked_up(batches[0], lines, alone)
    asked = oracle.asked
    python = looked_up(batches[1], lines, alone)

    assert len(native) == len(python) == count
    differing = [
        (line, one, other)
        for line, one, other in zip(lines, native, python, strict=True)
        if (one.code, one.stdout, one.stderr) != (other.code, other.stdout, other.stderr)
    ]
    assert differing[:3] == []
    assert oracle.asked == 2 * asked
    assert {ending.code for ending in native} == {0, 1}
    assert not any(ending.marked for ending in native), "a password is wiped, however the look-up ended"
