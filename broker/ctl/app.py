"""The command line: every verb by name. `entry.py` runs it."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from broker.ctl import explain, feed_actions, get, login_verbs, logs, share
from broker.ctl.add.verb import add, remove
from broker.ctl.demo.verb import demo
from broker.ctl.discover.verb import discover
from broker.ctl.doctor.verb import doctor
from broker.ctl.entry import run
from broker.ctl.exec.verb import exec_, with_strict_as_option
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

_OF_THE_COMMAND: dict[str, object] = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a verb whose further words are the command's own."""

for _name, (_verb, _words) in _VERBS.items():
    _example = f"\b\nExample:  brokerctl {_name} {_words}".rstrip()
    _settings = _OF_THE_COMMAND if _name in {"exec", "why"} else None
    app.command(_name, epilog=_example, context_settings=_settings)(_verb)


def command_line() -> None:
    """Do what this process's arguments say; `run` makes an exit code of what it raises."""
    app(with_strict_as_option(sys.argv[1:]), prog_name="brokerctl")


def main() -> None:
    """Run brokerctl with this process's arguments, and exit."""
    run(command_line)


if __name__ == "__main__":
    main()
