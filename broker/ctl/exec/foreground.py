"""A command in the foreground: found as execvp(3) finds it; signals are passed on; its code is a shell's."""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Self

from broker.core.shortage import shortage_of
from broker.ctl.command_error import CommandError, ExitCode
from broker.host.program_search import search
from broker.host.start_failure import why_not_run

FORWARDED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
FROM_TERMINALS = {signal.SIGINT, signal.SIGQUIT}
SIGNALLED = 128
"""A shell's code for a command that died of signal n is this and n."""


def found_program(name: str, environ: Mapping[str, str]) -> str:
    """The program's path, by PATH as execvp(3) goes by it. Raises CommandError with a shell's 126 or 127."""
    found = search(name, environ.get("PATH", os.defpath), relative=True)
    if found is None:
        raise CommandError(f"{name}: no such command", exit_code=ExitCode.EXEC_NO_SUCH_COMMAND)
    if found.is_executable:
        return found.path
    is_there = Path(found.path).exists()  # a link that leads nowhere is no command, for shells either
    code = ExitCode.EXEC_CANNOT_RUN if is_there else ExitCode.EXEC_NO_SUCH_COMMAND
    raise _cannot_run(name, why_not_run(found.path), code)


def _cannot_run(name: str, reason: str, code: ExitCode = ExitCode.EXEC_CANNOT_RUN) -> CommandError:
    return CommandError(f"{name} cannot be run: {reason}", exit_code=code)


def run_in_foreground(program: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command in the foreground, pass signals on to it, and return its code as a shell would.

    Raises CommandError where it cannot be run.
    """
    with SignalRelay() as relay:
        child = started(program, command, environment)
        relay.to(child)
        code = child.wait()
    return shell_code(code)


def started(
    program: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: int | None = None,
    stderr: int | None = None,
) -> "subprocess.Popen[bytes]":
    """The command's process, with these descriptors or ours, and all that we were given to hand on: a shell's
    `<(...)`, make's job server. Those of our own are inherited by nobody (PEP 446).

    Raises CommandError with a shell's 126 where it cannot be run, and for what passes by itself.
    """
    try:
        return subprocess.Popen(
            command, executable=program, env=environment, stdout=stdout, stderr=stderr, close_fds=False
        )
    except (OSError, ValueError) as error:
        shortage = shortage_of(error)
        if shortage is not None:
            raise CommandError(f"{command[0]} could not be started: {shortage}") from None
        reason = why_not_run(program, error) if isinstance(error, OSError) else str(error)
        raise _cannot_run(command[0], reason) from None


def shell_code(code: int) -> int:
    """The exit code of a process as a shell has it: a command that died of a signal has 128 and more."""
    return code if code >= 0 else SIGNALLED - code


def as_own_failure(failure: CommandError) -> CommandError:
    """The failure with the exit code that `exec` and `why` have for it: 125, unless it is 126 or 127."""
    kept = failure.exit_code in {ExitCode.EXEC_CANNOT_RUN, ExitCode.EXEC_NO_SUCH_COMMAND}
    code = failure.exit_code if kept else ExitCode.EXEC_FAILED
    return CommandError(failure.detail, hint=failure.hint, exit_code=code)


class SignalRelay:
    """While in it, signals go to the command instead of ending us; those that come too early, later.

    The interpreter writes each signal to a pipe as it comes, and a thread passes it on. A handler in Python
    runs between two steps of the main thread only: a signal that came just before waitpid(2) would wait
    there until the command has ended.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()

    def __enter__(self) -> Self:
        """Raises RuntimeError where no thread can be started: before there is a command."""
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()
        self._wakeup_before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _is_written) for number in FORWARDED}
        return self

    def __exit__(self, *_: object) -> None:
        for number, action in self._before.items():
            signal.signal(number, action)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._writing)
        self._started.set()
        self._thread.join()
        os.close(self._reading)

    def to(self, child: "subprocess.Popen[bytes]") -> None:
        """Forward to this process from now on."""
        self._child = child
        self._started.set()

    def _forward(self) -> None:
        self._started.wait()
        while numbers := os.read(self._reading, select.PIPE_BUF):
            for number in numbers:
                if number in FROM_TERMINALS and _is_foreground():
                    continue  # the terminal has sent it to the command as well: twice would mean "at once"
                if self._child is not None:
                    with contextlib.suppress(PermissionError):  # it became another user: sudo
                        self._child.send_signal(number)


def _is_written(_number: int, _frame: FrameType | None) -> None:
    """Only a signal with a handler is written to the pipe."""


def _is_foreground() -> bool:
    """True when we, and so the command, are what the terminal's keys reach."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
