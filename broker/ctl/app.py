"""The command line as typer reads it: all of it, or the one verb that was typed. `entry.py` runs it."""

import shutil
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Annotated, cast

import typer
from typer.core import TyperCommand

from broker.ctl.command_error import ExitCode
from broker.ctl.entry import run
from broker.ctl.verbs import OF_A_COMMAND, VERBS
from broker.host.installation import installed_version


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"token-broker {installed_version() or '(not installed)'}")
        raise typer.Exit


def _brokerctl(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fresh tokens for private Python feeds: see, start and steer your token-broker."""


_OF_THE_COMMAND: dict[str, object] = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a verb whose further words are the command's own."""


class _CommandOfACommand(TyperCommand):
    """A verb that ends with its command's code, so that options which make no sense are its own failure."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """As typer's."""
        try:
            return super().parse_args(ctx, args)
        except Exception as wrong:
            if getattr(wrong, "exit_code", None) == ExitCode.USAGE:
                wrong.exit_code = ExitCode.EXEC_FAILED  # type: ignore[attr-defined]
            raise


_NARROW_CELLS = 52
"""A terminal of less is taken by typer for one of these."""

_NARROWEST_CELLS = 38
"""Less has no room for words beside the options."""


def _narrow_page() -> dict[str, object]:
    """Settings of a help page where the terminal is too narrow for typer's own."""
    columns = shutil.get_terminal_size().columns
    return {} if columns >= _NARROW_CELLS else {"terminal_width": max(columns - 2, _NARROWEST_CELLS)}


def app_with(verbs: Iterable[str]) -> typer.Typer:
    """The command line with these verbs, whose modules are loaded for it."""
    app = typer.Typer(
        name="brokerctl",
        help="Fresh tokens for private Python feeds: see, start and steer your token-broker.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], **_narrow_page()},
    )
    app.callback()(_brokerctl)
    for verb in verbs:
        place, words = VERBS[verb]
        module, _, function = place.partition(":")
        example = f"\b\nExample:  brokerctl {verb} {words}".rstrip()
        settings = _OF_THE_COMMAND if verb in OF_A_COMMAND else None
        declared = cast("Callable[..., None]", getattr(import_module(module), function))
        whole, *_ = (declared.__doc__ or "").partition(
            "\n"
        )  # click cuts off what it takes from the docstring
        kind = _CommandOfACommand if verb in OF_A_COMMAND else None
        app.command(verb, cls=kind, epilog=example, short_help=whole, context_settings=settings)(declared)
    return app


def command_line() -> None:
    """Do what this process's arguments say; `run` makes an exit code of what it raises."""
    words = sys.argv[1:]
    alone = words[0] if words and words[0] in VERBS and words[0] not in _NAMES_ALL else None
    if words[:1] == ["exec"]:
        from broker.ctl.exec.verb import with_strict_as_option  # noqa: PLC0415 - this verb alone

        words = with_strict_as_option(words)
    app_with(VERBS if alone is None else [alone])(words, prog_name="brokerctl")


_NAMES_ALL = ("setup",)
"""Verbs that need every other one: for the completion of shells."""


def main() -> None:
    """Run brokerctl with this process's arguments, and exit."""
    run(command_line)


if __name__ == "__main__":
    main()
