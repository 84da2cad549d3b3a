"""Setting up a whole machine or an image of one, for all users or with a system broker; and undoing it."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import typer

from broker.config.paths import SYSTEM
from broker.ctl.command_error import CommandError, ExitCode
from broker.ctl.service import systemd
from broker.ctl.setup import all_users, system_broker
from broker.ctl.setup.client_keyrings import client_step, clients
from broker.ctl.setup.found_keyrings import SHIM, is_ours
from broker.ctl.setup.keyring_link import link_step
from broker.ctl.setup.link_changes import Link
from broker.ctl.setup.plan import SetupOptions, Step, StepMark
from broker.ctl.setup.screen import GONE, HALF_DONE, HALF_UNDONE, do_steps, show_diffs, show_plan, undo
from broker.ctl.setup.service_changes import Listen
from broker.ctl.setup.target_root import ROOT_UID, TargetRoot
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.ui.interrupted import told_if_interrupted

LINK = "/usr/local/bin/keyring"
REPLACED = "/usr/local/share/token-broker/replaced/keyring"
UV_SETTINGS = "/etc/uv/uv.toml"
PIP_SETTINGS = "/etc/pip.conf"

FOLDER_MODE = 0o755
NEXT_LOGIN = "users who are logged in have it from their next login on"


@dataclass(frozen=True, slots=True)
class MachineSetup:
    """One of the two ways to set up a machine: its option, where its undo log is, and what it does.

    `own_steps`, for a machine and the group that was named: those before the steps for the clients, and those
    after. `remains` is what teardown says of the machine that runs it.
    """

    option: str
    journal: str
    own_steps: Callable[[TargetRoot, str | None], tuple[Sequence[Step], Sequence[Step]]]
    remains: str

    def alone(self, image: TargetRoot) -> AbstractContextManager[UndoLog]:
        """The log of what it did to this machine, for one brokerctl at a time."""
        return UndoLog.alone(image.at(self.journal), image.root, FOLDER_MODE, image.root)

    def is_undone(self, image: TargetRoot) -> bool:
        """True where its log has nothing to undo."""
        return UndoLog(image.at(self.journal), FOLDER_MODE, image.root).is_empty


ALL_USERS = MachineSetup(
    "--all-users",
    all_users.JOURNAL,
    lambda image, _: ([all_users.units_step(image)], []),
    "users who are logged in keep their sockets until they log out",
)
SYSTEM_BROKER = MachineSetup(
    "--system", system_broker.JOURNAL, system_broker.own_steps, "the user token-broker and its home stay"
)


def set_up(kind: MachineSetup, image: TargetRoot, options: SetupOptions) -> None:
    """Show the changes, make them unless it is a dry run, and print what to do next. Raises CommandError."""
    _refuse_a_plain_user(image, f"setup {kind.option}")
    if options.dry_run:
        listening = [Listen(systemd.SOCKET_UNIT)] if kind is SYSTEM_BROKER and image.is_live else []
        steps = [*_steps(kind, image, options), Step("service", "", listening)]
        show_plan(steps, str, expected=_replacing(kind))
        return
    with told_if_interrupted(HALF_DONE), kind.alone(image) as log:
        wrong = do_steps(_steps(kind, image, options), log)
        if kind is SYSTEM_BROKER and image.is_live:
            _listen(log)
    if kind is SYSTEM_BROKER:
        group = options.group or system_broker.GROUP
        typer.echo(f"\nNext:  add feeds to {SYSTEM}, then: systemctl reload token-broker.service")
        typer.echo(f"       usermod -aG {group} USER   (who may ask; from their next login on)")
    elif image.is_live:
        typer.echo(f" {StepMark.OPEN} {NEXT_LOGIN}")
    where = "" if image.is_live else f" --root {image.root}"
    typer.echo(f"Undo:  brokerctl teardown {kind.option}{where}")
    raise typer.Exit(ExitCode.CANNOT_BE_HAD if wrong else ExitCode.FINE)


def _replacing(kind: MachineSetup) -> str:
    """What to type to replace another keyring."""
    return f"brokerctl setup {kind.option} --replace"


def _steps(kind: MachineSetup, image: TargetRoot, options: SetupOptions) -> list[Step]:
    """The steps, after the diffs of the files to which a line is added."""
    before, after = kind.own_steps(image, options.group)
    steps = [*before, _link_step(image, None if options.replace else _replacing(kind))]
    if options.configure_clients:
        both = clients(image.at(UV_SETTINGS), image.at(PIP_SETTINGS), str, for_all_users=True)
        steps += [client_step(client) for client in both]
    steps += after
    show_diffs(steps, str)
    return steps


def tear_down(kind: MachineSetup, image: TargetRoot) -> None:
    """Undo what this set-up did."""
    _refuse_a_plain_user(image, f"teardown {kind.option}")
    with told_if_interrupted(HALF_UNDONE), kind.alone(image) as log:
        if not undo(log):
            return
    if image.is_live:
        systemd.systemctl("daemon-reload", manager=systemd.SYSTEM)
        typer.echo(f" {StepMark.OPEN} {kind.remains}")
    other = ALL_USERS if kind is SYSTEM_BROKER else SYSTEM_BROKER
    if other.is_undone(image):
        typer.echo(GONE)
    else:
        again = f"brokerctl setup {other.option}"
        typer.echo(f" {StepMark.OPEN} {other.option} has lost the files that both share; run: {again}")


def _link_step(image: TargetRoot, hint: str | None) -> Step:
    path, shim = image.at(LINK), image.shim()
    # A link in an image may lead to a path that exists only once the image runs.
    is_foreign = path.readlink().name != SHIM if path.is_symlink() else path.exists() and not is_ours(path)
    link = Link(path, str(shim), image.at(REPLACED))
    return link_step(link, str(shim), lambda place: str(image.seen(place)), is_foreign=is_foreign, hint=hint)


def _listen(log: UndoLog) -> None:
    """Make the service's user and open the socket on this machine. Raises CommandError."""
    systemd.made_users(system_broker.SYSUSERS)
    systemd.systemctl("daemon-reload", manager=systemd.SYSTEM)
    Listen(systemd.SOCKET_UNIT).do(log)


def _refuse_a_plain_user(image: TargetRoot, words: str) -> None:
    if image.is_live and os.geteuid() != ROOT_UID:
        raise CommandError("only root can set up a whole machine", hint=f"sudo brokerctl {words}")
    if not image.root.is_dir():
        raise CommandError(f"{image.root} is not a folder", exit_code=ExitCode.USAGE)
