"""Setting up a whole machine or an image of one, for all users or with a system broker; and undoing it."""

import os
from collections.abc import Sequence

import typer

from broker.config.paths import SYSTEM
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.service import systemd
from broker.ctl.setup import all_users, system_broker
from broker.ctl.setup.changes import Listen
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.screen import say, show_diff, show_plan
from broker.ctl.setup.target_root import ROOT_UID, TargetRoot
from broker.ctl.setup.undo_log import UndoLog

FOLDER_MODE = 0o755
NEXT_LOGIN = "users who are logged in have it from their next login on"
UNTIL_LOGOUT = "users who are logged in keep their sockets until they log out"


def set_up_all_users(image: TargetRoot, *, dry_run: bool, replace: bool, configure_clients: bool) -> None:
    """A broker of their own for every user."""
    _refuse_a_plain_user(image, "setup --all-users")
    steps = all_users.steps(image, replace=replace, configure_clients=configure_clients)
    _show_diffs(steps)
    if dry_run:
        show_plan(steps, str, expected=all_users.REPLACE)
        return
    wrong = _do(image, all_users.JOURNAL, steps)
    if image.is_live:
        typer.echo(f" {StepMark.OPEN} {NEXT_LOGIN}")
    _say_undo("--all-users", image)
    raise typer.Exit(ExitCode.CANNOT_BE_HAD if wrong else ExitCode.FINE)


def set_up_system(
    image: TargetRoot, *, dry_run: bool, replace: bool, configure_clients: bool, group: str | None
) -> None:
    """One broker for the users of a group."""
    _refuse_a_plain_user(image, "setup --system")
    steps = system_broker.steps(image, group, replace=replace, configure_clients=configure_clients)
    _show_diffs(steps)
    if dry_run:
        show_plan(steps, str, expected=system_broker.REPLACE)
        return
    wrong = _do(image, system_broker.JOURNAL, steps)
    if image.is_live:
        _listen(UndoLog(image.at(system_broker.JOURNAL), FOLDER_MODE, image.root))
    typer.echo(f"\nNext:  add feeds to {SYSTEM}, then: systemctl reload token-broker.service")
    typer.echo(
        f"       usermod -aG {group or system_broker.GROUP} USER   (who may ask; from their next login on)"
    )
    _say_undo("--system", image)
    raise typer.Exit(ExitCode.CANNOT_BE_HAD if wrong else ExitCode.FINE)


def tear_down(image: TargetRoot, place: str, option: str) -> None:
    """Undo what the set-up with this option did."""
    _refuse_a_plain_user(image, f"teardown {option}")
    journal = UndoLog(image.at(place), FOLDER_MODE, image.root)
    if journal.is_empty:
        typer.echo("nothing was set up here")
        return
    for line in journal.undo():
        typer.echo(f" {StepMark.OPEN} {line}")
    if image.is_live:
        systemd.systemctl("daemon-reload", manager=systemd.SYSTEM)
        stays = UNTIL_LOGOUT if place == all_users.JOURNAL else "the user token-broker and its home stay"
        typer.echo(f" {StepMark.OPEN} {stays}")
    other, again = (
        (system_broker.JOURNAL, "--system")
        if place == all_users.JOURNAL
        else (all_users.JOURNAL, "--all-users")
    )
    if not UndoLog(image.at(other), FOLDER_MODE, image.root).is_empty:
        typer.echo(f" {StepMark.OPEN} what both had is gone for the other, too: brokerctl setup {again}")
        return
    typer.echo("token-broker is not set up any more; everything that setup changed is as it was")


def _show_diffs(steps: Sequence[Step]) -> None:
    for step in steps:
        if step.topic in {"uv", "pip"}:
            show_diff(step, str)


def _do(image: TargetRoot, place: str, steps: Sequence[Step]) -> bool:
    """Do what is pending; True where something could not be done."""
    journal = UndoLog(image.at(place), FOLDER_MODE, image.root)
    wrong = False
    for step in steps:
        step.do(journal)
        wrong |= say(step)
    return wrong


def _listen(journal: UndoLog) -> None:
    """Make the user, and open the socket, on the machine that runs us. Raises CommandError."""
    systemd.made_users(system_broker.SYSUSERS)
    systemd.systemctl("daemon-reload", manager=systemd.SYSTEM)
    Listen(systemd.SOCKET_UNIT).do(journal)


def _refuse_a_plain_user(image: TargetRoot, words: str) -> None:
    if image.is_live and os.geteuid() != ROOT_UID:
        raise CommandError("only root can set up a whole machine", hint=f"sudo brokerctl {words}")
    if not image.root.is_dir():
        raise CommandError(f"{image.root} is not a folder", exit_code=ExitCode.USAGE)


def _say_undo(option: str, image: TargetRoot) -> None:
    where = "" if image.is_live else f" --root {image.root}"
    typer.echo(f"Undo:  brokerctl teardown {option}{where}")
