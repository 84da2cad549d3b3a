"""A private broker that outlives us: for the steps of a CI job that come later and cannot be wrapped.

It ends with the job. A runner ends what a job has left behind: it looks for a variable of the job's in the
environment of every process, which no other process can read of a broker (see `host.hardening`). So a guard
carries that variable in the broker's stead, and nothing else: the guard's end ends the broker, and the
broker's the guard.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping

from broker.ctl import broker_process
from broker.ctl.exec.private_broker import REAPER, PrivateBroker, end, made_private_broker

TRACKED_BY = ("RUNNER_TRACKING_ID", "VSTS_PROCESS_LOOKUP_ID")
"""What GitHub's runner and Azure Pipelines' agent know a job's processes by (JobExtension.cs of both)."""

SILENCE = "6h"
"""Should no runner end it: as long as the longest job of a runner that GitHub hosts."""

GUARD = "read -r _"
"""Waits for the end of its stdin, whose other end the broker holds, or for the runner."""


def ci_broker(environ: Mapping[str, str]) -> PrivateBroker:
    """A private broker that answers, and goes on without us. Raises CommandError, and then leaves nothing."""
    broker = made_private_broker()
    guarded, guarding = os.pipe()
    reaped, reaping = os.pipe()
    try:
        child = broker.start(SILENCE, kept=[guarding])
        try:
            tracked = {name: environ[name] for name in TRACKED_BY if name in environ}
            _shell(GUARD, (), guarded, reaping, tracked)
            _shell(REAPER, (str(child.pid), str(broker.directory)), reaped, None, {})
            broker_process.wait_until_it_answers(child, broker.log, broker.socket)
        except BaseException:
            end(child)
            raise
    except BaseException:
        shutil.rmtree(broker.directory, ignore_errors=True)
        raise
    finally:
        for descriptor in (guarded, guarding, reaped, reaping):
            os.close(descriptor)
    child.returncode = 0  # it is not ours to wait for
    return broker


def _shell(
    script: str, words: tuple[str, ...], stdin: int, stdout: int | None, environment: Mapping[str, str]
) -> None:
    """Start a shell with no tie to us but these ends of pipes."""
    child = subprocess.Popen(
        ["/bin/sh", "-c", script, "token-broker", *words],
        stdin=stdin,
        stdout=subprocess.DEVNULL if stdout is None else stdout,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={**environment, "PATH": os.defpath},
        start_new_session=True,
    )
    child.returncode = 0  # it is not ours to wait for
