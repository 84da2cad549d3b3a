"""`brokerctl start`, `stop`, `restart`: through systemd where the units are installed, else directly."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from broker.ctl import api_client, broker_process
from broker.ctl.command_error import CommandError
from broker.ctl.service import systemd
from broker.ctl.ui.interrupted import told_if_interrupted
from broker.host.clock import SystemClock
from broker.host.start_failure import no_outcome

STOP_LIMIT_S = 15.0
"""Longer than the 10 s that brokerd allows for the answers under way."""

LOOK_LIMIT_S = 5.0

PROC = Path("/proc")
"""Does not exist on macOS, where ps(1) shows the command line."""

LOG_NAME = "brokerd.log"
LOCK_NAME = "broker.lock"
"""Beside the socket. A brokerd that made its socket has its process id in the second (`server/listen.py`)."""


def start() -> None:
    """Start the broker, and wait until it answers."""
    socket = broker_process.socket_path()
    if systemd.has_units():
        _start_socket_unit(socket)
        broker_process.wait_until_it_answers(None, None, socket)
    elif broker_process.answers(socket):
        typer.echo(f"token-broker is running already (process {_pid()})")
        return
    else:
        _start_detached(Path(socket))
    typer.echo(f"token-broker is running (process {_pid()})")


def stop() -> None:
    """Stop the broker.

    It finishes the answers that are under way. Its tokens are lost: they are only in its memory.
    """
    socket = broker_process.socket_path()
    managed = systemd.has_units()
    if managed:
        _by_systemd("stop", systemd.SOCKET_UNIT, systemd.SERVICE_UNIT)
    serving = _serving(socket)
    if serving is not None:
        end(serving)
    elif not managed:
        typer.echo("token-broker was not running")
        return
    typer.echo("token-broker is stopped")


def restart(
    *,
    force: Annotated[bool, typer.Option("--force", help="Also with a configuration that is broken.")] = False,
) -> None:
    """Stop the broker and start it again.

    Refuses where the configuration on disk is broken and the running broker still has a good one.
    """
    socket = broker_process.socket_path()
    if not force:
        _check_configuration()
    if systemd.has_units():
        _start_socket_unit(socket)
        _by_systemd("restart", systemd.SERVICE_UNIT)  # the socket stays: no look-up is lost
        broker_process.wait_until_it_answers(None, None, socket)
    else:
        serving = _serving(socket)
        if serving is not None:
            end(serving)
        _start_detached(Path(socket))
    typer.echo(f"token-broker is running (process {_pid()})")


def _check_configuration() -> None:
    """Have a running broker read the file that its successor would start with; raises CommandError."""
    try:
        api_client.order("/v1/reload")
    except api_client.RefusedError as refusal:
        if refusal.kind == api_client.BAD_CONFIGURATION:
            detail = f"{refusal.detail} (not restarted: --force restarts into it)"
            raise CommandError(detail, hint="brokerctl doctor") from None
    except CommandError:
        return  # one that does not answer has nothing to lose


def _start_socket_unit(socket: str) -> None:
    """Have systemd listen, anew where the file of a socket that it may still have was removed."""
    _by_systemd("reset-failed", systemd.SOCKET_UNIT, systemd.SERVICE_UNIT)
    _by_systemd("start" if Path(socket).is_socket() else "restart", systemd.SOCKET_UNIT)


def _by_systemd(*arguments: str) -> None:
    look = f"systemctl --user status {systemd.SERVICE_UNIT}"
    with told_if_interrupted("systemd goes on with what it was asked for", look):
        complaint = systemd.systemctl(*arguments)
    if complaint is not None:
        raise CommandError(complaint, hint=look)


def _start_detached(socket: Path) -> None:
    """Start a brokerd that outlives brokerctl and runs until it is stopped."""
    log = socket.with_name(LOG_NAME)
    with told_if_interrupted(f"the broker goes on starting, with its log in {log}", "brokerctl status"):
        try:
            with contextlib.suppress(FileExistsError):  # what is in its way is told by opening the log
                socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            child = broker_process.launch((), log)
        except OSError as error:
            if error.filename is None:  # no file, but the process
                raise CommandError(no_outcome("brokerd", error)) from None
            said = f"{socket.parent} cannot be used: {str(error.strerror).lower()}"
            raise CommandError(said, hint="brokerctl doctor") from None
        broker_process.wait_until_it_answers(child, log, str(socket))


def _pid() -> int:
    return int(api_client.read("/v1/status")["pid"])


def _serving(socket: str) -> int | None:
    """The process of the broker, also of one that hangs; None where none runs. Raises CommandError."""
    try:
        return _pid() if broker_process.answers(socket) else None
    except api_client.SilentBrokerError:
        with contextlib.suppress(OSError, ValueError):
            return int(Path(socket).with_name(LOCK_NAME).read_bytes()[:20])
        raise


def end(pid: int) -> None:
    """Check that the process is a brokerd, ask it to end, and wait until it has."""
    if not _is_brokerd(pid):
        # A container's broker reports the PID of its own namespace, which is another process here.
        raise CommandError(
            f"PID {pid}, reported by the broker, is not a brokerd in this PID namespace:"
            " stop it where it runs"
        )
    with told_if_interrupted(f"process {pid} finishes what is under way, and ends", "brokerctl status"):
        _end(pid)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError as error:
        raise CommandError(f"process {pid} cannot be stopped: {str(error.strerror).lower()}") from None
    clock = SystemClock()
    limit = clock.now().after(STOP_LIMIT_S)
    while _is_brokerd(pid):
        if limit.reached(clock.now()):
            raise CommandError(
                f"process {pid} did not end within {STOP_LIMIT_S:.0f} s", hint=f"kill -9 {pid}"
            )
        clock.pause(broker_process.LOOK_EVERY_S)


def _is_brokerd(pid: int) -> bool:
    """True while the process runs and its command line is a brokerd's; a zombie has no command line."""
    words = _command_line(pid).split()
    return any(Path(word).name == "brokerd" or word == "broker.daemon" for word in words)


def _command_line(pid: int) -> str:
    """The process's command line; empty when it has ended or may not be read."""
    if PROC.is_dir():
        with contextlib.suppress(OSError):
            return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    ps = ["ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False, timeout=LOOK_LIMIT_S).stdout
