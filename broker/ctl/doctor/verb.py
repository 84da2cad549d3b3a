"""`brokerctl doctor`: look, say, and repair where that is safe."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.hints import other_than
from broker.ctl.ui.spinner import spinner
from broker.ctl.ui.terminal import cells, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.ctl.doctor.finding import Finding


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as one object.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired safely.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Print a page for a colleague, redacted.")] = False,
) -> None:
    """Find what is wrong, and say what repairs it.

    Exit code: 0 nothing is wrong or there are warnings only, 1 there is a problem.
    """
    from broker.ctl.doctor import report as page  # noqa: PLC0415 - what this verb alone needs
    from broker.ctl.doctor.checks import findings  # noqa: PLC0415 - the same
    from broker.ctl.doctor.context import DoctorContext  # noqa: PLC0415 - the same
    from broker.ctl.doctor.finding import Level  # noqa: PLC0415 - the same
    from broker.ctl.doctor.screen import screen  # noqa: PLC0415 - the same

    if as_json + report > 1:
        raise CommandError("--json and --report exclude each other", exit_code=ExitCode.USAGE)
    context = DoctorContext.here()
    with spinner("looking"):
        found = findings(context)
    if fix and _repaired(found, quiet=as_json or report):
        context = DoctorContext.here()
        found = findings(context)
    if fix:
        found = [replace(each, repair=other_than(each.repair, "doctor --fix")) for each in found]
    if as_json:
        typer.echo(_json(found))
    else:
        say(page.report(context, found) if report else screen(found, cells()))
    wrong = any(finding.level is Level.PROBLEM for finding in found)
    raise typer.Exit(ExitCode.CANNOT_BE_HAD if wrong else ExitCode.FINE)


def _repaired(found: "Sequence[Finding]", *, quiet: bool) -> int:
    """Do every repair that is safe; returns how many were done."""
    done = 0
    for finding in found:
        if finding.fix is None:
            continue
        try:
            finding.fix()
        except (CommandError, OSError) as error:
            typer.echo(f"token-broker: {finding.said}: not repaired: {error}", err=True)
            continue
        done += 1
        if not quiet:
            typer.echo(f"repaired: {finding.said}")
    return done


def _json(found: "Sequence[Finding]") -> str:
    import json  # noqa: PLC0415 - this form only

    listed = [
        {
            "check": each.check,
            "level": each.level,
            "said": each.said,
            "repair": each.repair,
            "fixable": each.fix is not None,
        }
        for each in found
    ]
    counts = {f"{level}s": sum(each.level == level for each in found) for level in ("problem", "warning")}
    return json.dumps({"findings": listed, **counts}, indent=2, ensure_ascii=False)
