"""A brokerd of this installation: finding it, starting it with no tie to us, waiting until it answers."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import token_broker_client as client

from broker.config.paths import CONFIG, config_paths
from broker.core.failures import BadConfiguration
from broker.ctl import api_client
from broker.ctl.command_error import CommandError
from broker.host import installation
from broker.host.whereabouts import home_of

START_LIMIT_S = 20.0
"""A cold start imports a web server from a disk that may be slow; measured warm: 0.4 s."""

LOOK_EVERY_S = 0.02

ANNOUNCED = 'echo $$; exec "$0" "$@" >&2'
"""Says the process id on stdout, and becomes the command, whose stdout is where its stderr is."""

HANDED = 'echo $$; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 </dev/null >&2'
"""The same with the listening socket that is its stdin, handed over as systemd does (sd_listen_fds(3))."""

AGAIN = "--force-reinstall --no-deps wheels/token_broker_client-*.whl wheels/token_broker-*.whl"
"""What puts both packages in their place again, from the folder that docs/install.md has one make."""

SAID_BYTES = 4096
"""Of a log, only its end is looked at."""


def beside_us(program: str) -> Path:
    """The program installed together with this brokerctl. Raises CommandError when there is none."""
    found = installation.beside_us(program)
    if found is not None:
        return found
    raise CommandError(
        f"{program} is not installed beside brokerctl", hint=installation.line_that_installs(AGAIN)
    )


def launch(
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    kept: Sequence[int] = (),
    *,
    watcher: int | None = None,
    listening: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start brokerd in a session of its own, its stderr in `log`; our terminal and pipes stay free.

    The descriptors `kept` stay open in it as long as it runs. Its process id is written to `watcher`, as a
    line and before it is brokerd: no moment of ours to die is too early for the watcher to know.
    Who has a watcher may hand over a `listening` socket, whose copy here it closes then.
    """
    command = [str(beside_us("brokerd")), *arguments]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        return subprocess.Popen(
            command
            if watcher is None
            else ["/bin/sh", "-c", ANNOUNCED if listening is None else HANDED, *command],
            stdin=subprocess.DEVNULL if listening is None else listening,
            stdout=descriptor if watcher is None else watcher,
            stderr=descriptor,
            cwd="/",
            env=_from_anywhere(os.environ if environment is None else environment),
            pass_fds=kept,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def _from_anywhere(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment for another working directory: a configuration that is named in it keeps its place."""
    if not environment.get(CONFIG):
        return environment
    try:
        named = config_paths(None, environment, home_of(environment)).user
    except BadConfiguration:
        return environment  # which the broker tells
    return {**environment, CONFIG: str(named)}


def wait_until_it_answers(child: "subprocess.Popen[bytes] | None", log: Path | None, socket: str) -> None:
    """Return once the broker at `socket` answers; raises CommandError with an ended child's last line."""
    from broker.host.clock import SystemClock  # noqa: PLC0415 - for who waits

    clock = SystemClock()
    limit = clock.now().after(START_LIMIT_S)
    while not answers(socket):
        if child is not None and child.poll() is not None and not answers(socket):
            raise CommandError(
                f"brokerd did not start: {last_line(log) or f'it ended with {child.returncode}'}"
            )
        if limit.reached(clock.now()):
            raise CommandError(
                f"brokerd did not answer within {START_LIMIT_S:.0f} s", hint="brokerctl doctor"
            )
        clock.pause(LOOK_EVERY_S)


def answers(socket: str) -> bool:
    """True when a broker that may be trusted answers at `socket`. Raises CommandError for one that may
    not.
    """
    try:
        api_client.read("/v1/health", socket=socket)
    except api_client.BrokerNotRunningError:
        return False
    return True


def socket_path() -> str:
    """The user's socket; raises CommandError where there can be none."""
    try:
        return client.socket_path()
    except client.BrokerError as error:
        raise CommandError(str(error)) from None


def last_line(log: Path | None) -> str:
    """The last line of a log, or nothing."""
    return (last_lines(log) or [""])[-1]


def last_lines(log: Path | None) -> list[str]:
    """The last lines of a log."""
    try:
        said = b"" if log is None else log.read_bytes()[-SAID_BYTES:]
    except OSError:
        said = b""
    return [line.removeprefix("brokerd: ") for line in said.decode(errors="replace").strip().splitlines()]
