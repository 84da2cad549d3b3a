"""`brokerctl setup` and `teardown`: plan, show, do, say; and undo."""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from broker.ctl import launch, launchctl, systemd
from broker.ctl.outcome import ExitCode
from broker.ctl.setup import agent, clients, service
from broker.ctl.setup.completion import completion_step
from broker.ctl.setup.environment import environment_step
from broker.ctl.setup.journal import Journal
from broker.ctl.setup.link import REPLACE, is_foreign, link_step
from broker.ctl.setup.places import Places
from broker.ctl.setup.step import Folder, Link, Mark, Step, Write

TOPIC_CELLS = 10
EXAMPLE = "https://VssSessionToken@pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/"


def setup(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of another keyring, and keep it.")
    ] = False,
    no_configure_clients: Annotated[
        bool, typer.Option("--no-configure-clients", help="Leave uv's and pip's settings as they are.")
    ] = False,
) -> None:
    """Install the service, the keyring command, and turn the keyring on in uv and pip.

    What is done is written down: `brokerctl teardown` undoes it. Doing it again changes nothing but what is
    not as it should be.
    """
    places = Places.here()
    shim = launch.beside_us("keyring-shim")
    replace = replace or (not dry_run and _may_replace(places))
    steps = [environment_step(places), link_step(places, shim, replace=replace)]
    if not no_configure_clients:
        steps += [clients.client_step(places, client) for client in clients.clients(places)]
    steps.append(completion_step(places))
    for step in steps[2:-1]:
        _show_diff(places, step)
    if dry_run:
        if systemd.is_there():
            steps += [service.service_step(places), *service.sandbox_steps(places)]
        elif launchctl.is_there():
            steps.append(agent.agent_step(places))
        _show_plan(places, steps)
        return
    journal = Journal(places.journal)
    wrong = False
    for step in steps:
        for change in step.pending:
            change.do(journal)
        wrong |= _say(step)
    for step in _service(places, journal):
        wrong |= _say(step)
    typer.echo(f"\nTry it:  uv pip install --index-url {EXAMPLE} PACKAGE")
    typer.echo(f"Undo:    brokerctl teardown   (or, without brokerctl: sh {journal.folder}/undo.sh)")
    raise typer.Exit(ExitCode.CANNOT_BE_HAD if wrong else ExitCode.FINE)


def teardown() -> None:
    """Undo what setup did.

    Every file is as it was before; what was changed since is left alone, and named.
    """
    places = Places.here()
    journal = Journal(places.journal)
    if journal.is_empty:
        typer.echo("nothing was set up here")
        return
    for line in journal.undo():
        typer.echo(f" {Mark.OPEN} {line}")
    typer.echo("token-broker is not set up any more; everything that setup changed is as it was")


def _service(places: Places, journal: Journal) -> Iterable[Step]:
    if systemd.is_there():
        return service.do_service(places, journal)
    if launchctl.is_there():
        return agent.do_agent(places, journal)
    return [Step("service", service.WITHOUT_SYSTEMD, (), Mark.OPEN)]


def _may_replace(places: Places) -> bool:
    """Ask, on a terminal, whether another keyring may be moved; where nobody can be asked it stays."""
    if not is_foreign(places.link) or not sys.stdin.isatty():
        return False
    kept = places.shown(places.replaced)
    return typer.confirm(
        f"{places.shown(places.link)} is another keyring. Move it to {kept}, where it is still used?"
    )


def _show_diff(places: Places, step: Step) -> None:
    """What changes in files that are somebody else's, before it does."""
    for change in step.pending:
        if isinstance(change, Write):
            typer.echo(change.diff(places.shown(change.path)))


def _show_plan(places: Places, steps: Iterable[Step]) -> None:
    nothing = True
    for step in steps:
        for change in step.pending:
            nothing = False
            match change:
                case Write(path=path):
                    typer.echo(f" would write  {places.shown(path)}")
                case Link(path=path, target=target):
                    typer.echo(f" would link   {places.shown(path)} \N{RIGHTWARDS ARROW} {target}")
                case Folder(path=path):
                    typer.echo(f" would make   {places.shown(path)}")
        if step.mark is not Mark.DONE and step.hint != REPLACE:
            _say(step)
        elif step.mark is Mark.WRONG:
            typer.echo(f" would keep   {step.said}   {step.hint}")
    if nothing:
        typer.echo("everything is set up already")


def _say(step: Step) -> bool:
    """Print the step's line; True when it is wrong."""
    hint = "" if step.hint is None else f"   {step.hint}"
    typer.echo(f" {step.mark} {step.topic:<{TOPIC_CELLS}} {step.said}{hint}")
    return step.mark is Mark.WRONG
