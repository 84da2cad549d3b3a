"""`brokerctl status`: the broker as a table, a line, or JSON; live with --watch."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from broker.core.refresh import State
from broker.core.status import BrokerStatus
from broker.ctl import wire
from broker.ctl.outcome import ExitCode, Trouble
from broker.ctl.record import broker_status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WATCH_EVERY_S = 1.0
"""A second is the finest unit on the screen."""


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the daemon's own object.")] = False,
    short: Annotated[bool, typer.Option("--short", help="One line, for prompts and status bars.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw in place until Ctrl-C.")] = False,
) -> None:
    """Show every feed, its token and its sign-in.

    Exit code: 0 fine, 3 the broker is not running, 4 a feed needs a person.
    """
    if as_json + short + watch > 1:
        raise Trouble("--json, --short and --watch exclude each other", exit_code=ExitCode.USAGE)
    if as_json:
        import json  # noqa: PLC0415 - this form only

        found = wire.read("/v1/status")
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        raise typer.Exit(exit_code_of(broker_status(found)))
    if short:
        from broker.ctl.screen import status_line  # noqa: PLC0415 - rich is loaded by those who draw

        seen = broker_status(wire.read("/v1/status"))
        typer.echo(status_line(seen))
        raise typer.Exit(exit_code_of(seen))
    from rich.console import Console  # noqa: PLC0415 - rich is loaded by those who draw

    console = Console(highlight=False)
    if watch:
        _watch(console)
        return
    seen = broker_status(wire.read("/v1/status"))
    console.print(_screen(seen, console), crop=False)
    raise typer.Exit(exit_code_of(seen))


def exit_code_of(seen: BrokerStatus) -> ExitCode:
    """A person's turn before anything else, then a configuration that nobody can be served from."""
    if any(feed.state == State.SIGN_IN_NEEDED for feed in seen.feeds):
        return ExitCode.NEEDS_A_PERSON
    return ExitCode.FINE if seen.error is None else ExitCode.CANNOT_BE_HAD


def tool_version() -> str | None:
    """The version of this installation, or None in a source tree that was never installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 20 ms that few verbs need

    try:
        return version("token-broker")
    except PackageNotFoundError:
        return None


def _screen(seen: BrokerStatus, console: "Console") -> "RenderableType":
    from broker.ctl.screen import status_screen  # noqa: PLC0415 - rich is loaded by those who draw

    return status_screen(
        seen,
        now=local_now(),
        width=console.width if console.is_terminal else None,
        tool_version=tool_version(),
    )


def local_now() -> datetime:
    """The wall clock in the zone that this user's times of day are in."""
    from broker.host.clock import SystemClock  # noqa: PLC0415 - brings asyncio, which is 20 ms

    return SystemClock().now().wall.astimezone()


def _watch(console: "Console") -> None:
    """Draw until Ctrl-C, or until the broker ends (Trouble)."""
    from rich.live import Live  # noqa: PLC0415 - this form only

    from broker.host.clock import SystemClock  # noqa: PLC0415 - the same

    clock = SystemClock()
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            while True:
                seen = broker_status(wire.read("/v1/status"))
                live.update(_screen(seen, console), refresh=True)
                clock.pause(WATCH_EVERY_S)
    except KeyboardInterrupt:
        return
