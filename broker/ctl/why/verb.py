"""`brokerctl why`: run a command once as it is, and say why its package clients had no password."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.exec.foreground import as_own_failure

if TYPE_CHECKING:
    from broker.core.status import FeedStatus
    from broker.ctl.why.recorded_run import RecordedRun


def why(
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="What to run.")] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say it as one object, the last line of stderr.")
    ] = False,
) -> None:
    """Run a command, and say why its package client got no password.

    uv, pip and what runs them write down what they decide; that is read, joined with what the broker saw, and
    said on stderr, per index, with the line that repairs it. The exit code is the command's own; 125 if
    brokerctl fails, 126 if the command cannot run, 127 if there is none such.
    """
    from broker.ctl.why.recorded_run import recorded_run  # noqa: PLC0415 - what this verb alone needs
    from broker.ctl.why.screen import summary  # noqa: PLC0415 - the same

    if not command:
        raise CommandError(
            "why needs a command", hint="brokerctl why -- uv sync", exit_code=ExitCode.EXEC_FAILED
        )
    try:
        run = recorded_run(command, os.environ)
    except CommandError as failure:
        raise as_own_failure(failure) from None
    if run.exit_code == 0 and not as_json:
        _tell(f"token-broker: {summary(run)}")
    else:
        _tell(_explained(command, run, as_json=as_json))
    raise typer.Exit(run.exit_code)


def _explained(command: list[str], run: "RecordedRun", *, as_json: bool) -> str:
    from broker.ctl.clients.command_line import options_of  # noqa: PLC0415 - a failure alone pays for these
    from broker.ctl.setup.user_dirs import UserDirs  # noqa: PLC0415 - the same
    from broker.ctl.why import screen  # noqa: PLC0415 - the same
    from broker.ctl.why.diagnosis import report_of  # noqa: PLC0415 - the same
    from broker.ctl.why.evidence import Evidence, directory_of  # noqa: PLC0415 - the same
    from broker.ctl.why.index_account import by_index  # noqa: PLC0415 - the same
    from broker.ctl.why.other_clients import other_findings  # noqa: PLC0415 - the same

    options = options_of(command)
    directory = directory_of(options, Path.cwd())
    evidence = Evidence(options, run, UserDirs.here(), directory, tuple(_served(run)))
    groups = by_index(evidence)
    reports = [report_of(each, evidence) for each in groups]
    more = [] if run.exit_code == 0 else list(other_findings(evidence, groups))
    found = screen.findings(reports, run, more)
    if as_json:
        return screen.as_json(run, reports, found)
    return screen.page(found, _cells())


def _served(run: "RecordedRun") -> Iterator["FeedStatus"]:
    """What the user's broker says of its feeds, then the system's."""
    import token_broker_client as client  # noqa: PLC0415 - a failure alone pays for these

    from broker.ctl.status.record import broker_status  # noqa: PLC0415 - the same

    if run.status is not None:
        yield from broker_status(run.status).feeds
    try:
        yield from broker_status(api_client.read("/v1/status", socket=client.SYSTEM_SOCKET)).feeds
    except CommandError:
        return


def _cells() -> int | None:
    if not sys.stderr.isatty():
        return None
    return os.get_terminal_size(sys.stderr.fileno()).columns


def _tell(text: str) -> None:
    """Say it on stderr, whose end may be closed."""
    try:
        typer.echo(text, err=True)
    except OSError:
        return
