"""`brokerctl logs`: what the daemon said, from the journal or from the file beside its socket."""

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from broker.ctl import launch, systemd
from broker.ctl.outcome import Trouble
from broker.ctl.service import LOG_NAME

UNREADABLE = "the journal is not yours to read"
BECOME_A_READER = "sudo usermod -aG systemd-journal $USER, and log in again"


def logs(
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many, the last ones.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
) -> None:
    """Show what the broker said."""
    if systemd.has_units():
        _from_journal(lines, follow=follow)
    else:
        _from_file(Path(launch.socket_path()).with_name(LOG_NAME), lines, follow=follow)


def _from_journal(lines: int, *, follow: bool) -> None:
    words = ["--no-pager", "--user-unit", systemd.SERVICE_UNIT, "--lines", str(lines)]
    if not systemd.ask("journalctl", *words, "--quiet"):
        # It says "no entries" and ends well, or says why not and ends badly; both without a line of ours.
        raise Trouble(f"{UNREADABLE}, or nothing was said yet", hint=BECOME_A_READER)
    _become("journalctl", *words, *(["--follow"] if follow else []))


def _from_file(log: Path, lines: int, *, follow: bool) -> None:
    if not log.is_file():
        raise Trouble("nobody keeps this broker's log: a look-up had started it", hint="brokerctl restart")
    _become("tail", "-n", str(lines), *(["-f"] if follow else []), str(log))


def _become(program: str, *words: str) -> None:
    """Let the program take our place: it knows pagers, pipes and Ctrl-C."""
    found = shutil.which(program)
    if found is None:
        raise Trouble(f"{program} is not installed")
    os.execv(found, [program, *words])  # noqa: S606 - no shell wanted
