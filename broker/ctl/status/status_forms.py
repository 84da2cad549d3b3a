"""What `brokerctl status` does: the broker as a table, a line, or JSON; live with --watch.

Each form loads what it needs by itself: `--short` next to nothing.
"""

from __future__ import annotations

import token_broker_client as client

from broker.ctl import api_client
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.status.short_line import exit_code_of, status_line
from broker.host.standard_streams import put_out

TYPE_CHECKING = False  # `typing` costs half a bare start of Python; type checkers take this name as true
if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from broker.core.status import BrokerStatus

PIPE_CELLS = 10_000
"""A pipe has no width: rich would take it for a terminal of 80 cells and cut the cells of a table."""


def show_status(*, as_json: bool = False, short: bool = False, watch: bool = False) -> None:
    """Show it, and end with the exit code of `status`. Raises CommandError."""
    if as_json + short + watch > 1:
        raise CommandError("--json, --short and --watch exclude each other", exit_code=ExitCode.USAGE)
    if as_json:
        import json  # noqa: PLC0415 - this form only

        found = _read()
        beside = _system_beside(found)
        put_out(json.dumps(found | ({"system": beside} if beside else {}), indent=2, ensure_ascii=False))
        raise SystemExit(_exit_code(_record(found)))
    if short:
        found = _read()
        put_out(status_line(found))
        raise SystemExit(exit_code_of((feed["state"] for feed in found["feeds"]), found.get("error")))
    from rich.console import Console  # noqa: PLC0415 - rich is loaded only where a screen is drawn

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_CELLS
    if watch:
        from broker.ctl.status.watch import watch as watch_  # noqa: PLC0415 - this form only

        watch_(console, _both, lambda seen, system: _screen(seen, system, console, is_live=True))
        return
    seen, system = _both()
    console.print(_screen(seen, system, console), crop=False)
    raise SystemExit(_exit_code(seen))


def _both() -> tuple[BrokerStatus, BrokerStatus | None]:
    """The status that is asked for, and the system broker's beside it. Raises CommandError."""
    found = _read()
    system = _system_beside(found)
    return _record(found), None if system is None else _record(system)


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


def _record(found: api_client.Json) -> BrokerStatus:
    from broker.ctl.status.record import broker_status  # noqa: PLC0415 - not for --short

    return broker_status(found)


def _exit_code(seen: BrokerStatus) -> ExitCode:
    return exit_code_of((feed.state for feed in seen.feeds), seen.error)


def _screen(
    seen: BrokerStatus, system: BrokerStatus | None, console: Console, *, is_live: bool = False
) -> RenderableType:
    from broker.ctl.setup.found_keyrings import what_hides_the_shim  # noqa: PLC0415 - the same
    from broker.ctl.setup.user_dirs import UserDirs  # noqa: PLC0415 - the same
    from broker.ctl.status.screen import status_screen  # noqa: PLC0415 - rich is loaded only where a screen is drawn
    from broker.ctl.ui.local_time import local_now  # noqa: PLC0415 - the same
    from broker.host.installation import installed_version  # noqa: PLC0415 - for the table

    return status_screen(
        seen,
        now=local_now(),
        width=console.width if console.is_terminal else None,
        tool_version=installed_version(),
        system=system,
        shim_hidden=what_hides_the_shim(UserDirs.here()),
        is_live=is_live,
    )
