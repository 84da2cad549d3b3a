"""The command line: every verb by name, and the one place where an outcome becomes an exit code.

Verbs raise CommandError; `main` prints its line and exits with its code. No traceback is ever shown.
"""

import contextlib
import io
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from broker.ctl import explain, feed_actions, get, login_verbs, logs, share
from broker.ctl.add.verb import add, remove
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.demo.verb import demo
from broker.ctl.discover.verb import discover
from broker.ctl.doctor.verb import doctor
from broker.ctl.exec.verb import exec_
from broker.ctl.service.verb import restart, start, stop
from broker.ctl.setup.verb import setup, teardown
from broker.ctl.status.verb import status, tool_version
from broker.ctl.why.verb import why

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
        typer.echo(f"token-broker {tool_version() or '(not installed)'}")
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

_VERBS: dict[str, tuple[Callable[..., None], str]] = {
    "demo": (demo, ""),
    "setup": (setup, "--dry-run"),
    "teardown": (teardown, ""),
    "doctor": (doctor, "--fix"),
    "status": (status, "--watch"),
    "discover": (discover, ""),
    "add": (add, _FEED_URL),
    "remove": (remove, "corp"),
    "get": (get.get, _FEED_URL),
    "explain": (explain.explain, _FEED_URL),
    "exec": (exec_, "-- uv sync"),
    "why": (why, "-- uv sync"),
    "share": (share.share, "--feed corp --for 8h"),
    "login": (login_verbs.login, "corp"),
    "logout": (login_verbs.logout, "corp"),
    "refresh": (feed_actions.refresh, "corp"),
    "forget": (feed_actions.forget, "corp"),
    "reload": (feed_actions.reload, ""),
    "start": (start, ""),
    "stop": (stop, ""),
    "restart": (restart, ""),
    "logs": (logs.logs, "--follow"),
}
"""Every verb, in the order of the help, and the arguments in the example of its own help."""

_OWN_SETTINGS: dict[str, dict[str, object]] = {
    verb: {"ignore_unknown_options": True, "allow_interspersed_args": False}  # they are the command's
    for verb in ("exec", "why")
}

for _name, (_verb, _words) in _VERBS.items():
    _example = f"\b\nExample:  brokerctl {_name} {_words}".rstrip()
    app.command(_name, epilog=_example, context_settings=_OWN_SETTINGS.get(_name))(_verb)


def main() -> None:
    """Run brokerctl with this process's arguments, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a bar in an old terminal is no reason to fail
    try:
        app(prog_name="brokerctl")
    except CommandError as failure:
        _say(failure.line)
        sys.exit(failure.exit_code)
    except Exception as defect:  # noqa: BLE001 - the outermost boundary: a traceback tells a user nothing
        import traceback  # noqa: PLC0415 - for a defect only

        place = traceback.extract_tb(defect.__traceback__)[-1]
        kind = f"{type(defect).__name__} in {place.filename.rpartition('/')[2]} line {place.lineno}"
        _say(f"a defect in brokerctl ({kind}); run: brokerctl doctor --report")
        sys.exit(ExitCode.EXEC_FAILED if sys.argv[1:2] in (["exec"], ["why"]) else ExitCode.CANNOT_BE_HAD)


def _say(line: str) -> None:
    """One line on stderr. Its end being closed changes nothing."""
    with contextlib.suppress(OSError):
        typer.echo(line if line.startswith("token-broker") else f"token-broker: {line}", err=True)


if __name__ == "__main__":
    main()
