"""One run of a command with its package clients' own accounts turned on, and what they and the broker said.

Besides the two variables that turn the accounts on nothing differs from a run without us. The accounts are
never shown and leave nothing behind; a password in them is not kept.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from broker.ctl import api_client
from broker.ctl.clients.client_index import PIP, PIP_PROGRAM
from broker.ctl.command_error import CommandError
from broker.ctl.exec.foreground import SignalRelay, found_program, shell_code, started
from broker.ctl.why import pip_account, uv_account
from broker.ctl.why.account import ClientAccount
from broker.ctl.why.account_stream import AccountStream
from broker.ctl.why.streams import STDERR, STDOUT, Streams
from broker.host.whereabouts import own_runtime_directory

POLL_S = 0.5
"""The broker remembers its last 20 look-ups: a long run is asked for them in between."""

VERSION_LIMIT_S = 5.0
LOG_BYTES_MAX = 64 << 20
"""Of pip's log so much is read: a resolution that backtracks for minutes writes some MB."""

LOOKUPS_MAX = 1000

TOX_OVERRIDE = "TOX_OVERRIDE"
"""Settings that go before those of tox's file (tox 4, "Overriding configuration"), joined by semicolons."""

_UV = re.compile(r"uvx?")
_PYTHON = re.compile(r"python[0-9.]*")


@dataclass(frozen=True, slots=True)
class Lookup:
    """A look-up as the broker remembers it (CONTRACT section 6, `recent`)."""

    at: str
    pid: int
    url: str
    feed: str | None
    outcome: str
    hint: str | None

    @property
    def is_answered(self) -> bool:
        """True when it got a credential."""
        return self.outcome in {"hit", "wait"}


@dataclass
class RecordedRun:
    """How the command ended, and what was said. `said` is the end of what it wrote to its own streams.

    `ends_in_a_line`: its stderr did not end with a line's end, so that ours begins on a new one.
    """

    exit_code: int
    account: ClientAccount
    said: str = ""
    lookups: list[Lookup] = field(default_factory=list)
    status: api_client.Json | None = None
    ends_in_a_line: bool = False


def recorded_run(command: Sequence[str], environ: Mapping[str, str]) -> RecordedRun:
    """Run the command once. Raises CommandError where it cannot be run."""
    program = found_program(command[0], environ)
    account, watch = ClientAccount(), _BrokerWatch()
    level = uv_account.level_for(_uv_version(program, environ))

    def hear(_: str, text: str) -> None:
        account.add(uv_account.steps_of(text))
        account.unknown += not shown and not uv_account.is_known(text)

    is_uv = _UV.fullmatch(Path(command[0]).name) is not None
    shown = _levels_shown(command if is_uv else (), environ)
    with _pip_log(environ) as (log, variables):
        environment = {
            **environ,
            **variables,
            **_passed_on(command, environ),
            uv_account.VARIABLE: uv_account.filter_with(environ.get(uv_account.VARIABLE), level),
        }
        with (
            Streams(
                lambda: AccountStream(hear, takes_all=is_uv, shown=shown), with_stdout=not is_direct(command)
            ) as streams,
            SignalRelay() as relay,
            watch,
        ):
            child = started(
                program, command, environment, stdout=streams.given(STDOUT), stderr=streams.given(STDERR)
            )
            relay.to(child)
            streams.pump(child)
            code = child.wait()
        _read_pip(log, account)
    account.add(uv_account.refusals_in(streams.tail))
    account.add(uv_account.unreached_in(streams.tail))
    return RecordedRun(
        shell_code(code), account, streams.tail, watch.seen, watch.status, streams.ends_in_a_line
    )


def is_direct(command: Sequence[str]) -> bool:
    """True for uv and pip themselves: what they write on stdout is theirs alone, and no account is in it.

    A program that runs them may repeat on its stdout what they wrote on stderr.
    """
    name = Path(command[0]).name
    if _PYTHON.fullmatch(name):
        return list(command[1:3]) in (["-m", "pip"], ["-m", "uv"])
    return bool(_UV.fullmatch(name) or PIP_PROGRAM.fullmatch(name))


def _passed_on(command: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """What makes tox 4 pass on the one variable of ours that it would not: PIP_* and UV_* it does."""
    if Path(command[0]).name != "tox" and list(command[1:3]) != ["-m", "tox"]:
        return {}
    settings = (f"{section}.pass_env+={uv_account.VARIABLE}" for section in ("testenv", "env_run_base"))
    return {TOX_OVERRIDE: ";".join((*filter(None, [environ.get(TOX_OVERRIDE)]), *settings))}


def _levels_shown(words: Sequence[str], environ: Mapping[str, str]) -> frozenset[str]:
    """The levels that the user asked to see, by RUST_LOG or by uv's -v."""
    asked = environ.get(uv_account.VARIABLE, "")
    verbosity = sum(word.count("v") for word in words if re.fullmatch("-v+", word)) + ("--verbose" in words)
    if "trace" in asked or verbosity > 1:
        return frozenset(uv_account.LEVELS)
    return frozenset(uv_account.LEVELS[1:]) if asked or verbosity else frozenset()


def _uv_version(program: str, environ: Mapping[str, str]) -> tuple[int, ...] | None:
    """The oldest of the uvs that this command may run: its own program, the one beside it, PATH's."""
    path = environ.get("PATH", os.defpath)
    beside = os.path.join(os.path.dirname(os.path.realpath(program)), "uv")  # noqa: PTH118, PTH120 - strings
    is_uv = _UV.fullmatch(Path(program).name)
    candidates = [program] if is_uv else [beside, shutil.which("uv", path=path)]
    versions = []
    for candidate in dict.fromkeys(filter(None, candidates)):
        if not os.access(candidate, os.X_OK):
            continue
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(
                [candidate, "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=VERSION_LIMIT_S,
                env=dict(environ),
            )
            versions.append(uv_account.version_in(told.stdout) or (0,))
    return min(versions, default=None)


@contextlib.contextmanager
def _pip_log(environ: Mapping[str, str]) -> Iterator[tuple[IO[bytes] | None, dict[str, str]]]:
    """The file that pip will log to, at its end, and the variable that names it; the user's own stays."""
    chosen = environ.get(pip_account.VARIABLE)
    if chosen:
        with contextlib.ExitStack() as stack:
            opened: IO[bytes] | None = None
            if os.path.isfile(chosen):  # noqa: PTH113 - it raises nothing, and a pipe is not waited for
                with contextlib.suppress(OSError):
                    opened = stack.enter_context(Path(chosen).open("rb"))
                    opened.seek(0, os.SEEK_END)
            yield opened, {}
        return
    with tempfile.TemporaryDirectory(
        prefix="token-broker-why-", dir=own_runtime_directory(environ)
    ) as folder:
        path = Path(folder) / "pip.log"
        path.touch(mode=0o600)
        with path.open("rb") as opened:
            yield opened, {pip_account.VARIABLE: str(path)}


def _read_pip(log: IO[bytes] | None, account: ClientAccount) -> None:
    read = 0
    while log is not None and read < LOG_BYTES_MAX:
        line = log.readline(1 << 16)
        if not line:
            return
        read += len(line)
        message = pip_account.message_of(line.decode("utf-8", "replace"))
        if message is None:
            continue
        version = pip_account.version_of(message)
        if version is not None:
            account.versions.setdefault(PIP, version)
        account.add(pip_account.steps_of(message))


class _BrokerWatch:
    """The look-ups that the user's broker saw since we began, but for those of programs that still run."""

    def __init__(self) -> None:
        self._known = {_key(each) for each in self._recent()}
        self._seen: dict[tuple[object, ...], Lookup] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.status: api_client.Json | None = None

    def __enter__(self) -> Self:
        """While in it, the broker is looked at now and then."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    @property
    def seen(self) -> list[Lookup]:
        """Those of processes that have ended, as all of the command's have."""
        return [each for each in self._seen.values() if not _lives(each.pid)]

    def _watch(self) -> None:
        while not self._over.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        for each in self._recent():
            if _key(each) not in self._known and len(self._seen) < LOOKUPS_MAX:
                self._seen.setdefault(_key(each), _lookup(each))

    def _recent(self) -> list[api_client.Json]:
        try:
            self.status = api_client.read("/v1/status")
        except CommandError:
            self.status = None
            return []
        return list(self.status.get("recent", ()))


def _lookup(told: api_client.Json) -> Lookup:
    return Lookup(
        str(told.get("at")),
        int(told.get("pid") or 0),
        str(told.get("url")),
        told.get("feed"),
        str(told.get("outcome")),
        told.get("hint"),
    )


def _key(lookup: api_client.Json) -> tuple[object, ...]:
    return tuple(lookup.get(name) for name in ("at", "pid", "url", "outcome"))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return pid > 0
