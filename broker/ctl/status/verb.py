"""`brokerctl status`: the broker as a table, a line, or JSON; live with --watch."""

from typing import Annotated

import typer

from broker.ctl.status.status_forms import show_status


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the daemon's own object.")] = False,
    short: Annotated[bool, typer.Option("--short", help="One line, for prompts and status bars.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw in place until Ctrl-C.")] = False,
) -> None:
    """Show every feed, its token and its sign-in.

    Exit code: 0 fine, 1 the configuration on disk is not in force, 3 the broker is not running, 4 a feed
    needs a person.
    """
    show_status(as_json=as_json, short=short, watch=watch)
