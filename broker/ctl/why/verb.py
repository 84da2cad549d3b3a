"""`brokerctl why`: run a command once as it is, and say why its package clients had no password."""

from typing import Annotated

import typer


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
    from broker.ctl.why.told_run import told_run  # noqa: PLC0415 - what this verb alone needs

    raise typer.Exit(told_run(command or [], as_json=as_json))
