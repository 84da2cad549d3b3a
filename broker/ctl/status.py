"""`brokerctl status`: the broker as a table, a line, or JSON; live with --watch."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import token_broker_client as client
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

        found = _asked()
        system = _system_beside(found)
        typer.echo(json.dumps(found | ({"system": system} if system else {}), indent=2, ensure_ascii=False))
        raise typer.Exit(exit_code_of(broker_status(found)))
    if short:
        from broker.ctl.screen import status_line  # noqa: PLC0415 - rich is loaded by those who draw

        seen = broker_status(_asked())
        typer.echo(status_line(seen))
        raise typer.Exit(exit_code_of(seen))
    from rich.console import Console  # noqa: PLC0415 - rich is loaded by those who draw

    console = Console(highlight=False)
    if watch:
        _watch(console)
        return
    found = _asked()
    seen = broker_status(found)
    console.print(_screen(found, console), crop=False)
    raise typer.Exit(exit_code_of(seen))


def _asked() -> wire.Json:
    """The status of the user's broker, or of the system's where only that runs. Raises Trouble."""
    return wire.whoever_knows(lambda socket: wire.read("/v1/status", socket=socket))


def _system_beside(found: wire.Json) -> wire.Json | None:
    """The system broker's status, where it is another than this one and answers this user."""
    if found.get("socket") == client.SYSTEM_SOCKET:
        return None
    try:
        return wire.read("/v1/status", socket=client.SYSTEM_SOCKET)
    except Trouble:
        return None


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


def _screen(found: wire.Json, console: "Console") -> "RenderableType":
    from broker.ctl.screen import status_screen  # noqa: PLC0415 - rich is loaded by those who draw

    system = _system_beside(found)
    return status_screen(
        broker_status(found),
        now=local_now(),
        width=console.width if console.is_terminal else None,
        tool_version=tool_version(),
        system=None if system is None else broker_status(system),
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
                live.update(_screen(_asked(), console), refresh=True)
                clock.pause(WATCH_EVERY_S)
    except KeyboardInterrupt:
        return
