"""A run that is told of: the command is run once, and on stderr stands what came of it.

Nothing that takes long is imported before the command has failed.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from broker.ctl import api_client
from broker.ctl.clients.time_limit import at_most
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.exec.foreground import as_own_failure
from broker.ctl.why.recorded_run import recorded_run
from broker.ctl.why.success_line import WANT_A_LOGIN, summary, went_on_without_an_index
from broker.host.standard_streams import is_terminal, tell
from broker.host.whereabouts import working_directory

if TYPE_CHECKING:
    from broker.core.status import FeedStatus
    from broker.ctl.why.recorded_run import RecordedRun

EXPLAIN_S = 30.0
"""For all that an explanation reads: a few ms of files, and what brokers say."""


def end_with_told_run(command: Sequence[str], *, as_json: bool = False) -> NoReturn:
    """Do it, and end with the command's exit code. Raises CommandError."""
    raise SystemExit(told_run(command, as_json=as_json))


def told_run(command: Sequence[str], *, as_json: bool) -> int:
    """Run the command, say why its clients got no password, and return its exit code.

    Raises CommandError with 125 to 127 where it cannot be run.
    """
    if not command:
        hint = "brokerctl why -- uv sync"
        raise CommandError("why needs a command", hint=hint, exit_code=ExitCode.EXEC_FAILED)
    try:
        run = recorded_run(command, os.environ)
    except CommandError as failure:
        raise as_own_failure(failure) from None
    if run.ends_in_a_line:
        tell("")
    if run.exit_code == 0 and not as_json and not went_on_without_an_index(run):
        tell(f"token-broker: {summary(run)}")
    else:
        tell(_explained(list(command), run, as_json=as_json))
    return run.exit_code


def _explained(command: list[str], run: "RecordedRun", *, as_json: bool) -> str:
    """What is to be said; whatever stands in the files that it reads, the command's code stays ours."""
    try:
        with at_most(EXPLAIN_S):
            return _explanation(command, run, as_json=as_json)
    except Exception as defect:  # noqa: BLE001 - the command has run: its code is what counts
        kind = type(defect).__name__
        return f"token-broker: this failure cannot be explained ({kind}); run: brokerctl doctor --report"


def _explanation(command: list[str], run: "RecordedRun", *, as_json: bool) -> str:
    from broker.ctl.clients.command_line import options_of  # noqa: PLC0415 - a failure alone pays for these
    from broker.ctl.setup.user_dirs import UserDirs  # noqa: PLC0415 - the same
    from broker.ctl.why import screen  # noqa: PLC0415 - the same
    from broker.ctl.why.evidence import Evidence  # noqa: PLC0415 - the same
    from broker.ctl.why.gateway_cure import gateway_command  # noqa: PLC0415 - the same
    from broker.ctl.why.index_account import by_index  # noqa: PLC0415 - the same
    from broker.ctl.why.index_reports import reports_of  # noqa: PLC0415 - the same
    from broker.ctl.why.other_clients import other_findings  # noqa: PLC0415 - the same

    options = options_of(command)
    evidence = Evidence(options, run, UserDirs.here(), working_directory(), tuple(_served(run)))
    groups = by_index(evidence)
    reports = reports_of(groups, evidence)
    if run.exit_code == 0 and not as_json:
        refused = ((each, each.account.refusal) for each in reports)
        reports = [each for each, refusal in refused if refusal and refusal.status in WANT_A_LOGIN]
    more = [] if run.exit_code == 0 else list(other_findings(evidence, groups))
    found = screen.findings(reports, run, more)
    gateway = None if run.exit_code == 0 else gateway_command(reports, found, evidence)
    if as_json:
        return screen.as_json(run, reports, found, gateway)
    return screen.page(found, _cells(), gateway)


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
    """How many stderr has; None where it is no terminal, or one that does not know."""
    return os.get_terminal_size(sys.stderr.fileno()).columns or None if is_terminal(sys.stderr) else None
