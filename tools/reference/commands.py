"""docs/reference/command-line.md: both commands, read from typer and argparse."""

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

from typer.main import get_group

from broker.ctl.app import app_with
from broker.ctl.verbs import VERBS
from broker.daemon.main import argument_parser
from tools.reference import markdown


class Option(NamedTuple):
    """An option or argument as it is typed, and what it does."""

    typed: str
    does: str


class Verb(NamedTuple):
    """A verb of brokerctl: usage, the paragraphs of its help, arguments and options, and its example."""

    name: str
    usage: str
    text: tuple[str, ...]
    options: tuple[Option, ...]
    example: str

    @property
    def first(self) -> str:
        """What it does, in one sentence."""
        return self.text[0]


def verbs() -> list[Verb]:
    """Return every verb, in the order of `brokerctl --help`."""
    group = get_group(app_with(VERBS))
    return [_verb(name, command) for name, command in group.commands.items()]


def _verb(name: str, command: Any) -> Verb:  # noqa: ANN401 - typer's own copy of click is private
    context = command.context_class(
        command, info_name=f"brokerctl {name}", help_option_names=["-h", "--help"]
    )
    usage = " ".join([f"brokerctl {name}", *command.collect_usage_pieces(context)])
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    example = (command.epilog or "").replace("\b", "").strip().removeprefix("Example:").strip()
    return Verb(name, usage, tuple(filter(None, paragraphs)), tuple(_options(command, context)), example)


def _options(command: Any, context: Any) -> Iterator[Option]:  # noqa: ANN401 - as above
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield Option(" ".join(record[0].split()), " ".join(record[1].split()))


def daemon_options() -> list[Option]:
    """Return what brokerd takes."""
    return [
        Option(" ".join(filter(None, (", ".join(each.option_strings), _metavar(each)))), each.help or "")
        for each in argument_parser()._actions  # noqa: SLF001 - argparse has no public list of them
    ]


def _metavar(action: argparse.Action) -> str:
    return str(action.metavar or "") if action.nargs != 0 else ""


def markdown_page() -> str:
    """The page."""
    parts = [
        "`brokerctl` is the tool that you type, `brokerd` the daemon that a service manager or the first look-up "
        "starts. The exit codes are on [a page of their own](exit-codes.md). `man brokerctl` and `man brokerd` say "
        "the same where the installation's `share/man` is on `MANPATH`.",
        markdown.table(
            ("verb", "what it does"),
            ((f"[`{verb.name}`](#brokerctl-{verb.name})", verb.first) for verb in verbs()),
        ),
    ]
    for verb in verbs():
        parts += [f"## brokerctl {verb.name}", f"`{verb.usage}`", *verb.text]
        parts += [
            markdown.table(("option", "what it does"), ((f"`{typed}`", does) for typed, does in verb.options))
        ]
        parts += [f"Example: `{verb.example}`"]
    parts += [
        "## brokerd",
        "Runs in the foreground and logs to stderr. SIGHUP reads the configuration again, SIGTERM finishes what is "
        "under way and ends, SIGUSR1 forgets every token. A socket that systemd or launchd hands over is used.",
        markdown.table(
            ("option", "what it does"), ((f"`{typed}`", does) for typed, does in daemon_options())
        ),
    ]
    return markdown.page("Command line", *parts)
