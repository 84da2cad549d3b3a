"""Signals on their way to a command in the foreground."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from broker.ctl.exec.foreground import FORWARDED, FROM_TERMINALS, SignalRelay, run_in_foreground

SIGNALS_US = 'trap "kill $!; exit 42" {name}; sleep 20 >&- & read -r _; kill -{name} {us}; wait; exit 1'
"""A command that sends us a signal when it is told to, and ends with 42 when it gets that signal."""


@pytest.mark.parametrize("number", [each for each in FORWARDED if each not in FROM_TERMINALS])
def test_signal_that_the_wait_for_the_command_does_not_notice_is_passed_on(number: signal.Signals) -> None:
    """A signal between the interpreter's last look and waitpid(2) is not noticed by the wait either.

    siginterrupt(3) makes that happen each time: the kernel takes up the wait again by itself.
    """
    command = SIGNALS_US.format(name=number.name.removeprefix("SIG"), us=os.getpid())
    with (
        SignalRelay() as relay,
        subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE) as child,
    ):
        signal.siginterrupt(number, False)  # noqa: FBT003 - positional in signal
        relay.to(child)
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()

        assert child.wait() == 42


def test_signal_before_the_command_is_there_reaches_it() -> None:
    with SignalRelay() as relay:
        signal.raise_signal(signal.SIGTERM)
        with subprocess.Popen(["sh", "-c", "read -r _"], stdin=subprocess.PIPE) as child:
            relay.to(child)

            assert child.wait() == -signal.SIGTERM


class BecameAnother(subprocess.Popen[bytes]):
    """A command that became another user, as sudo does, and us again after the first signal."""

    refusals = 1

    def send_signal(self, sig: int) -> None:
        if self.refusals:
            self.refusals -= 1
            raise PermissionError
        super().send_signal(sig)


def test_signal_that_may_not_be_sent_to_the_command_keeps_no_later_one_from_it() -> None:
    with (
        SignalRelay() as relay,
        BecameAnother(["sh", "-c", "read -r _"], stdin=subprocess.PIPE) as child,
    ):
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
        relay.to(child)

        assert child.wait(60) == -signal.SIGTERM


def test_command_has_the_descriptors_that_a_shell_opened_for_it() -> None:
    reader, writer = os.pipe()  # as for `COMMAND <(echo hi)`
    os.write(writer, b"hi")
    os.close(writer)
    os.set_inheritable(reader, True)  # noqa: FBT003 - positional in os
    try:
        words = ["sh", "-c", f'[ "$(cat /dev/fd/{reader})" = hi ]']

        assert run_in_foreground("/bin/sh", words, os.environ) == 0
    finally:
        os.close(reader)


def test_signals_are_the_interpreters_again_afterwards() -> None:
    before = [signal.getsignal(number) for number in FORWARDED]

    with SignalRelay():
        pass

    assert [signal.getsignal(number) for number in FORWARDED] == before
    assert signal.set_wakeup_fd(-1) == -1
