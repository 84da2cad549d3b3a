"""`brokerctl status`: the broker as a table, a line, or JSON; live with --watch."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import token_broker_client as client
import typer

from broker.core.refresh import State
from broker.core.status import BrokerStatus
from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.status.record import broker_status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_CELLS = 10_000
"""A pipe has no width: rich would take it for a terminal of 80 cells and cut the cells of a table."""


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
        raise CommandError("--json, --short and --watch exclude each other", exit_code=ExitCode.USAGE)
    if as_json:
        import json  # noqa: PLC0415 - this form only

        found = _read()
        beside = _system_beside(found)
        typer.echo(json.dumps(found | ({"system": beside} if beside else {}), indent=2, ensure_ascii=False))
        raise typer.Exit(exit_code_of(broker_status(found)))
    if short:
        from broker.ctl.status.lines import status_line  # noqa: PLC0415 - this form only

        seen = broker_status(_read())
        typer.echo(status_line(seen))
        raise typer.Exit(exit_code_of(seen))
    from rich.console import Console  # noqa: PLC0415 - rich is loaded only where a screen is drawn

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_CELLS
    if watch:
        from broker.ctl.status.watch import watch as watch_  # noqa: PLC0415 - this form only

        watch_(console, _both, lambda seen, system: _screen(seen, system, console))
        return
    seen, system = _both()
    console.print(_screen(seen, system, console), crop=False)
    raise typer.Exit(exit_code_of(seen))


def _both() -> tuple[BrokerStatus, BrokerStatus | None]:
    """The status that is asked for, and the system broker's beside it. Raises CommandError."""
    found = _read()
    system = _system_beside(found)
    return broker_status(found), None if system is None else broker_status(system)


def _read() -> api_client.Json:
    """The status of the user's broker, or of the system's where only that runs. Raises CommandError."""
    return api_client.ask_either_broker(lambda socket: api_client.read("/v1/status", socket=socket))


def _system_beside(found: api_client.Json) -> api_client.Json | None:
    """The system broker's status, where it is another than this one and answers this user."""
    if api_client.is_system_socket(found.get("socket")):
        return None
    try:
        return api_client.read("/v1/status", socket=client.SYSTEM_SOCKET)
    except CommandError:
        return None


def exit_code_of(seen: BrokerStatus) -> ExitCode:
    """A sign-in that is needed before anything else, then a configuration that cannot be used."""
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


def _screen(seen: BrokerStatus, system: BrokerStatus | None, console: "Console") -> "RenderableType":
    from broker.ctl.setup.keyring_link import what_hides_the_shim  # noqa: PLC0415 - the same
    from broker.ctl.setup.user_dirs import UserDirs  # noqa: PLC0415 - the same
    from broker.ctl.status.screen import status_screen  # noqa: PLC0415 - rich is loaded only where a screen is drawn

    return status_screen(
        seen,
        now=local_now(),
        width=console.width if console.is_terminal else None,
        tool_version=tool_version(),
        system=system,
        shim_hidden=what_hides_the_shim(UserDirs.here()),
    )


def local_now() -> datetime:
    """The wall clock in the zone that this user's times of day are in."""
    from broker.host.clock import SystemClock  # noqa: PLC0415 - brings asyncio, which is 20 ms

    return SystemClock().now().wall.astimezone()
