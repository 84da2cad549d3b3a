"""The command line: every verb by name, and the one place where an outcome becomes an exit code.

Verbs raise Trouble; `main` prints its line and exits with its code. Nobody ever sees a traceback.
"""

import contextlib
import io
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from broker.ctl import command, feeds, lookup, orders, service, status
from broker.ctl.demo import verb
from broker.ctl.outcome import ExitCode, Trouble

app = typer.Typer(
    name="brokerctl",
    help="Fresh tokens for private Python feeds: see, start and steer your token-broker.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"token-broker {status.tool_version() or '(not installed)'}")
        raise typer.Exit


@app.callback()
def _brokerctl(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fresh tokens for private Python feeds: see, start and steer your token-broker."""


_FEED_URL = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"

_EXAMPLES: tuple[tuple[Callable[..., None], str], ...] = (
    (status.status, "brokerctl status --watch"),
    (feeds.add, f"brokerctl add {_FEED_URL} --tenant 11111111-2222-3333-4444-555555555555"),
    (feeds.remove, "brokerctl remove corp"),
    (lookup.get, f"brokerctl get {_FEED_URL}"),
    (orders.refresh, "brokerctl refresh corp"),
    (orders.forget, "brokerctl forget corp"),
    (service.start, "brokerctl start"),
    (service.stop, "brokerctl stop"),
    (service.restart, "brokerctl restart"),
    (orders.reload, "brokerctl reload"),
    (verb.demo, "brokerctl demo"),
)
"""Every verb, in the order of the help, with the example that its own help ends with."""

app.command(
    "exec",
    epilog="\b\nExample:  brokerctl exec -- uv sync",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)(command.exec_)

for _verb, _example in _EXAMPLES:
    app.command(epilog=f"\b\nExample:  {_example}")(_verb)


def main() -> None:
    """Run brokerctl with this process's arguments, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar in an old terminal is no reason to fail
    try:
        app(prog_name="brokerctl")
    except Trouble as trouble:
        _say(trouble.line)
        sys.exit(trouble.exit_code)
    except Exception as defect:  # noqa: BLE001 - the outermost boundary: a traceback tells a user nothing
        import traceback  # noqa: PLC0415 - nobody else needs it

        place = traceback.extract_tb(defect.__traceback__)[-1]
        kind = f"{type(defect).__name__} in {place.filename.rpartition('/')[2]} line {place.lineno}"
        _say(f"a defect in brokerctl ({kind}); run: brokerctl doctor --report")
        sys.exit(ExitCode.EXEC_FAILED if sys.argv[1:2] == ["exec"] else ExitCode.CANNOT_BE_HAD)


def _say(line: str) -> None:
    """One line on stderr. Its end being closed changes nothing."""
    with contextlib.suppress(OSError):
        typer.echo(line if line.startswith("token-broker") else f"token-broker: {line}", err=True)


if __name__ == "__main__":
    main()
