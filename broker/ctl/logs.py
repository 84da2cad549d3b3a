"""`brokerctl logs`: the daemon's log, from the journal, the file beside its socket, or its own memory."""

import contextlib
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.core.why_not import Topic
from broker.ctl import api_client, broker_process
from broker.ctl.command_error import CommandError
from broker.ctl.hints import other_than
from broker.ctl.left_reasons import failed_start, left_reasons
from broker.ctl.service import systemd
from broker.ctl.service.verb import LOG_NAME
from broker.host.whereabouts import home_of

UNREADABLE = (
    "the journal shows you no line of the broker's, so these are what it remembers itself; "
    "to read the journal: sudo usermod -aG systemd-journal $USER, and log in again"
)

LINES_MAX = 1_000_000_000
"""More than any log has, and no more than tail and journalctl can count."""

LOOK_EVERY_S = 1.0
"""A person reads no faster."""


def logs(
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many, the last ones.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
) -> None:
    """Show what the broker said.

    From the journal, or from the file beside its socket; where neither can be read, the last 500 lines, which
    it remembers itself.
    """
    lines = min(lines, LINES_MAX)
    log = Path(broker_process.socket_path()).with_name(LOG_NAME)
    if systemd.has_units():
        arguments = ["--no-pager", "--user-unit", systemd.SERVICE_UNIT, "--lines", str(lines)]
        # What cannot be read is "no entries" and ends well, or says why and ends badly: both without a line.
        if systemd.ask("journalctl", *arguments, "--quiet"):
            _replace_us("journalctl", *arguments, *(["--follow"] if follow else []))
        typer.echo(f"token-broker: {UNREADABLE}", err=True)
    elif os.access(log, os.R_OK) and _is_the_last_ones(log):
        _replace_us("tail", "-n", str(lines), *(["-f"] if follow else []), str(log))
    _from_memory(lines, follow=follow)


def _from_memory(lines: int, *, follow: bool) -> None:
    """The last lines that the daemon remembers. A restarted daemon numbers them from the beginning."""
    from broker.host.clock import SystemClock  # noqa: PLC0415 - brings asyncio, which is 20 ms

    clock = SystemClock()
    try:
        found = api_client.read("/v1/logs")
    except api_client.BrokerNotRunningError as absent:
        raise _without_a_log(absent, clock.now().wall) from None
    _print(found["lines"][-lines:])
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            clock.pause(LOOK_EVERY_S)
            with contextlib.suppress(api_client.BrokerNotRunningError):  # between two daemons
                new = api_client.read("/v1/logs", {"after": str(found["last"])})
                found = new if new["last"] >= found["last"] else api_client.read("/v1/logs")
                _print(found["lines"])


def _is_the_last_ones(log: Path) -> bool:
    """False where a broker answers that started after the last line of the file: a look-up's writes none.

    It tells the second only; of that one it remembers all lines, so that either answer shows them.
    """
    try:
        started = datetime.fromisoformat(api_client.read("/v1/status")["started_at"])
    except CommandError:
        return True
    return int(log.stat().st_mtime) > started.timestamp()


def _without_a_log(absent: CommandError, now: datetime) -> CommandError:
    """Why there is nothing to show where no broker runs."""
    for reason in left_reasons(os.environ, home_of(os.environ)):
        if reason.topic is Topic.START:
            leads_here = other_than(reason.hint, "logs") != reason.hint  # `start` fails again, with a log
            hint = None if leads_here else reason.hint
            said = f"{absent.detail}: {failed_start(reason, now)}"
            return CommandError(said, hint=hint or absent.hint, exit_code=absent.exit_code)
    said = f"{absent.detail}, and the last one left no log: one that a look-up starts writes none"
    return CommandError(said, hint=absent.hint, exit_code=absent.exit_code)


def _print(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)


def _replace_us(program: str, *arguments: str) -> None:
    """Replace this process by the program, which handles pagers, pipes and Ctrl-C itself."""
    found = shutil.which(program)
    if found is None:
        raise CommandError(f"{program} is not installed")
    os.execv(found, [program, *arguments])  # noqa: S606 - no shell wanted
