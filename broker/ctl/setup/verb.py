"""`brokerctl setup` and `teardown`: plan, show, do, say; and undo."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Annotated, cast

import typer
from typer.core import TyperGroup

from broker.ctl import broker_process
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.config_view import configured
from broker.ctl.service import launchctl, systemd
from broker.ctl.setup import launchd_agent, machine_setup, user_service
from broker.ctl.setup.client_backends import backend_steps
from broker.ctl.setup.client_keyrings import client_step, clients_of
from broker.ctl.setup.completion import Verbs, completion_step, verbs_and_options
from broker.ctl.setup.environment import environment_step
from broker.ctl.setup.found_keyrings import REPLACE, is_ours
from broker.ctl.setup.keyring_link import is_foreign, speed_steps, user_link_step
from broker.ctl.setup.machine_setup import ALL_USERS, SYSTEM_BROKER
from broker.ctl.setup.plan import SetupOptions, Step, StepMark
from broker.ctl.setup.screen import GONE, HALF_DONE, HALF_UNDONE, do_steps, say, show_diffs, show_plan, undo
from broker.ctl.setup.service_changes import Enable, Load
from broker.ctl.setup.target_root import TargetRoot
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.ui.interrupted import told_if_interrupted
from broker.ctl.ui.question import agrees
from broker.host.standard_streams import is_terminal

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
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace another keyring command, and keep the old one.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="On a terminal: do it without asking first.")
    ] = False,
    no_configure_clients: Annotated[
        bool, typer.Option("--no-configure-clients", help="Leave uv's and pip's settings as they are.")
    ] = False,
    clients: Annotated[
        bool,
        typer.Option("--clients", help="Also for poetry, twine, hatch and pdm of pipx or uv tool."),
    ] = False,
    all_users: AllUsers = False,
    for_system: System = False,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With --system: the group that may use the broker, instead of a new one."
        ),
    ] = None,
    root: Root = None,
) -> None:
    """Install the service and the keyring command, for good.

    It also turns the keyring on in the settings of uv and pip. On a terminal it shows all that it will
    change, and asks before it does.

    Setup records every change, and `brokerctl teardown` undoes them. Running setup again only repairs what is
    not as it should be.

    An administrator can set up every user of a machine (--all-users), or one broker for a group of users,
    which runs under a service account of its own (--system).
    """
    options = SetupOptions(
        dry_run=dry_run,
        replace=replace,
        configure_clients=not no_configure_clients,
        group=group,
        asks=not yes and is_terminal(sys.stdin),
        clients=clients,
    )
    image = _image(all_users=all_users, for_system=for_system, root=root)
    if group is not None and not for_system:
        raise CommandError("--group goes with --system", exit_code=ExitCode.USAGE)
    if clients and image is not None:
        raise CommandError("--clients is for one user's own tools", exit_code=ExitCode.USAGE)
    if image is None:
        brokerctl = cast("TyperGroup", context.find_root().command)
        _set_up_home(options, verbs_and_options(brokerctl))
    else:
        machine_setup.set_up(SYSTEM_BROKER if for_system else ALL_USERS, image, options)


def teardown(*, all_users: AllUsers = False, for_system: System = False, root: Root = None) -> None:
    """Undo what setup did.

    Every file is as it was before. A file that was changed since stays as it is, and teardown names it.
    """
    image = _image(all_users=all_users, for_system=for_system, root=root)
    if image is not None:
        machine_setup.tear_down(SYSTEM_BROKER if for_system else ALL_USERS, image)
        return
    user_dirs = UserDirs.here()
    with told_if_interrupted(HALF_UNDONE), UndoLog.alone(user_dirs.journal, user_dirs.home) as log:
        if undo(log):
            typer.echo(GONE)
            _say_what_stays(user_dirs)
    if user_dirs.link.is_symlink() and is_ours(user_dirs.link):
        hint = f"rm {quote(str(user_dirs.link))}"
        say(
            Step("keyring", "still leads to token-broker; setup has no record of it", (), StepMark.OPEN, hint)
        )


def _say_what_stays(user_dirs: UserDirs) -> None:
    """What is the user's, or was there before setup: teardown leaves it."""
    configuration = user_dirs.configuration.user
    if configuration.exists():
        typer.echo(f"what stays: {user_dirs.shown(configuration)}, your configuration")
    typer.echo(f"what stays: token-broker itself, in {user_dirs.shown(Path(sys.prefix))}")


def _set_up_home(options: SetupOptions, verbs: Verbs) -> None:
    user_dirs = UserDirs.here()
    if options.dry_run:
        show_plan(_steps(user_dirs, options, verbs, for_service=True), user_dirs.shown, expected=REPLACE)
        return
    if not options.replace and _may_replace(user_dirs):
        options = replace(options, replace=True)
    if options.asks and not _is_agreed(user_dirs, options, verbs):
        raise CommandError("nothing was changed")
    with told_if_interrupted(HALF_DONE), UndoLog.alone(user_dirs.journal, user_dirs.home) as log:
        wrong = do_steps(_steps(user_dirs, options, verbs), log)
        for step in _service(user_dirs, log):
            wrong |= say(step)
    typer.echo(f"\nTry it:  uv pip install --index-url {EXAMPLE} PACKAGE")
    typer.echo("Undo:    brokerctl teardown")
    typer.echo(f"         sh {user_dirs.shown(log.folder)}/undo.sh   (when brokerctl is gone)")
    raise typer.Exit(ExitCode.CANNOT_BE_HAD if wrong else ExitCode.FINE)


def _steps(
    user_dirs: UserDirs, options: SetupOptions, verbs: Verbs, *, for_service: bool = False
) -> list[Step]:
    """The steps, whose diffs are shown; the service's own only for a plan."""
    shim = broker_process.beside_us("keyring-shim")
    known = configured(user_dirs)
    if known.failure is not None:
        say(Step("settings", f"not used: {known.failure.detail}", (), StepMark.OPEN, known.failure.hint))
    steps = [environment_step(user_dirs), user_link_step(user_dirs, shim, replaces=options.replace)]
    steps += speed_steps(shim)
    if options.configure_clients:
        steps += [client_step(client) for client in clients_of(user_dirs)]
    if options.clients or user_dirs.backend.is_dir():
        steps += backend_steps(user_dirs)
    steps.append(completion_step(user_dirs, verbs))
    if for_service or not options.asks:
        show_diffs(steps, user_dirs.shown)
    if for_service and systemd.is_there():
        folders, drop_in = user_service.sandbox_changes(user_dirs, known.config)
        steps += [
            user_service.units_step(user_dirs),
            Step("sandbox", "", [*folders, drop_in]),
            Step("service", "", [Enable(systemd.SOCKET_UNIT)]),
        ]
    elif for_service and launchctl.is_there():
        loaded = Load(launchd_agent.agent_path(user_dirs))
        steps += [launchd_agent.agent_step(user_dirs), Step("service", "", [loaded])]
    return steps


def _image(*, all_users: bool, for_system: bool, root: Path | None) -> TargetRoot | None:
    """The machine to set up; None for the user's own home."""
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


def _is_agreed(user_dirs: UserDirs, options: SetupOptions, verbs: Verbs) -> bool:
    """Show all that will be changed, and ask; True without a question where there is nothing to change."""
    plan = _steps(user_dirs, options, verbs, for_service=True)
    show_plan(plan, user_dirs.shown, expected=REPLACE)
    return not any(step.pending for step in plan) or agrees("Do this?", default=True)


def _may_replace(user_dirs: UserDirs) -> bool:
    """Ask on a terminal whether setup may move another keyring; without a terminal it stays."""
    if not is_foreign(user_dirs.link) or not is_terminal(sys.stdin):
        return False
    kept = user_dirs.shown(user_dirs.replaced)
    return agrees(
        f"{user_dirs.shown(user_dirs.link)} is another keyring. Move it to {kept}, where it is still used?"
    )
