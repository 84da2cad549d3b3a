"""`brokerctl setup` and `teardown`: plan, show, do, say; and undo."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from broker.ctl import broker_process
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.config_view import configured
from broker.ctl.service import launchctl, systemd
from broker.ctl.setup import (
    client_keyrings,
    launchd_agent,
    machine_setup,
    system_broker,
    user_service,
)
from broker.ctl.setup.all_users import JOURNAL as ALL_USERS_JOURNAL
from broker.ctl.setup.completion import completion_step
from broker.ctl.setup.environment import environment_step
from broker.ctl.setup.keyring_link import REPLACE, is_foreign, link_step
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.screen import say, show_diff, show_plan
from broker.ctl.setup.target_root import TargetRoot
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.setup.user_dirs import UserDirs

EXAMPLE = "https://VssSessionToken@pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/"

AllUsers = Annotated[bool, typer.Option("--all-users", help="For every user of this machine; as root.")]
System = Annotated[
    bool,
    typer.Option("--system", help="One broker for a group of this machine's users; as root."),
]
Root = Annotated[
    Path | None,
    typer.Option("--root", metavar="DIR", help="In an image below DIR instead of this machine."),
]


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
    all_users: AllUsers = False,
    for_system: System = False,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With --system: whose members may ask it, instead of a new group's."
        ),
    ] = None,
    root: Root = None,
) -> None:
    """Install the service and the keyring command, for good.

    It also turns the keyring on in uv's and pip's settings, and shows every change there before it makes it.

    What is done is written down: `brokerctl teardown` undoes it. Doing it again changes nothing but what is
    not as it should be.

    An administrator does it for every user of a machine (--all-users), or sets up one broker for a group of
    them, under an identity that is no person's (--system).
    """
    image = _image(all_users=all_users, for_system=for_system, root=root)
    if for_system and image is not None:
        machine_setup.set_up_system(
            image,
            dry_run=dry_run,
            replace=replace,
            configure_clients=not no_configure_clients,
            group=group,
        )
        return
    if group is not None:
        raise CommandError("--group goes with --system", exit_code=ExitCode.USAGE)
    if image is not None:
        machine_setup.set_up_all_users(
            image, dry_run=dry_run, replace=replace, configure_clients=not no_configure_clients
        )
        return
    _set_up_home(dry_run=dry_run, replace=replace, configure_clients=not no_configure_clients)


def teardown(*, all_users: AllUsers = False, for_system: System = False, root: Root = None) -> None:
    """Undo what setup did.

    Every file is as it was before; what was changed since is left alone, and named.
    """
    image = _image(all_users=all_users, for_system=for_system, root=root)
    if image is not None:
        place, option = (
            (system_broker.JOURNAL, "--system") if for_system else (ALL_USERS_JOURNAL, "--all-users")
        )
        machine_setup.tear_down(image, place, option)
        return
    user_dirs = UserDirs.here()
    journal = UndoLog(user_dirs.journal)
    if journal.is_empty:
        typer.echo("nothing was set up here")
        return
    for line in journal.undo():
        typer.echo(f" {StepMark.OPEN} {line}")
    typer.echo("token-broker is not set up any more; everything that setup changed is as it was")


def _set_up_home(*, dry_run: bool, replace: bool, configure_clients: bool) -> None:
    user_dirs = UserDirs.here()
    shim = broker_process.beside_us("keyring-shim")
    replace = replace or (not dry_run and _may_replace(user_dirs))
    known = configured(user_dirs)
    if known.failure is not None:
        say(Step("settings", f"not used: {known.failure.detail}", (), StepMark.OPEN, known.failure.hint))
    steps = [environment_step(user_dirs), link_step(user_dirs, shim, replace=replace)]
    if configure_clients:
        steps += [
            client_keyrings.client_step(client, user_dirs.shown(client.path))
            for client in client_keyrings.clients(user_dirs)
        ]
    steps.append(completion_step(user_dirs))
    for step in steps[2:-1]:
        show_diff(step, user_dirs.shown)
    if dry_run:
        if systemd.is_there():
            folders, drop_in = user_service.sandbox_changes(user_dirs, known.config)
            steps += [user_service.service_step(user_dirs), Step("sandbox", "", [*folders, drop_in])]
        elif launchctl.is_there():
            steps.append(launchd_agent.agent_step(user_dirs))
        show_plan(steps, user_dirs.shown, expected=REPLACE)
        return
    journal = UndoLog(user_dirs.journal)
    wrong = False
    for step in steps:
        step.do(journal)
        wrong |= say(step)
    for step in _service(user_dirs, journal):
        wrong |= say(step)
    typer.echo(f"\nTry it:  uv pip install --index-url {EXAMPLE} PACKAGE")
    typer.echo("Undo:    brokerctl teardown")
    typer.echo(f"         sh {user_dirs.shown(journal.folder)}/undo.sh   (when brokerctl is gone)")
    raise typer.Exit(ExitCode.CANNOT_BE_HAD if wrong else ExitCode.FINE)


def _image(*, all_users: bool, for_system: bool, root: Path | None) -> TargetRoot | None:
    """The machine that is meant; None for the user's own home."""
    if all_users and for_system:
        raise CommandError("--all-users and --system exclude each other", exit_code=ExitCode.USAGE)
    if not all_users and not for_system:
        if root is not None:
            raise CommandError("--root goes with --all-users or --system", exit_code=ExitCode.USAGE)
        return None
    return TargetRoot(Path("/") if root is None else root.absolute())


def _service(user_dirs: UserDirs, journal: UndoLog) -> Iterable[Step]:
    if systemd.is_there():
        return user_service.do_service(user_dirs, journal)
    if launchctl.is_there():
        return launchd_agent.do_agent(user_dirs, journal)
    return [Step("service", user_service.WITHOUT_SYSTEMD, (), StepMark.OPEN)]


def _may_replace(user_dirs: UserDirs) -> bool:
    """Ask, on a terminal, whether another keyring may be moved; where nobody can be asked it stays."""
    if not is_foreign(user_dirs.link) or not sys.stdin.isatty():
        return False
    kept = user_dirs.shown(user_dirs.replaced)
    return typer.confirm(
        f"{user_dirs.shown(user_dirs.link)} is another keyring. Move it to {kept}, where it is still used?"
    )
