"""The user's service: systemd's units for this installation, enabled, and the sandbox where it works."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import token_broker_client as client

from broker.config.paths import CONFIG
from broker.ctl import api_client, broker_process
from broker.ctl.command_error import CommandError
from broker.ctl.config_view import configured
from broker.ctl.service import systemd
from broker.ctl.service import verb as running
from broker.ctl.setup import sandbox_test, unit_files
from broker.ctl.setup.file_changes import Folder, Write
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.sandbox_paths import SandboxPaths
from broker.ctl.setup.service_changes import Enable
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.setup.user_dirs import UserDirs

if TYPE_CHECKING:
    from broker.config.model import Config

UNIT_VARIABLES = (CONFIG, "XDG_CONFIG_HOME")
"""They say where the configuration and env.toml are, so they must stand in the unit and not in env.toml."""

WITHOUT_SYSTEMD = (
    "none, for no systemd answers here: the first look-up starts the broker, which ends after an idle hour"
)


TRIED = "your sign-ins were tried in it, and work as outside"
LESS = "what the service could reach, as systemd rates it: less is better"


def installation(user_dirs: UserDirs) -> unit_files.Installation:
    """What the units name. Raises CommandError when brokerd is not installed beside brokerctl."""
    variables = {name: user_dirs.environ[name] for name in UNIT_VARIABLES if user_dirs.environ.get(name)}
    if CONFIG in variables:
        variables[CONFIG] = str(user_dirs.configuration.user)  # a service has another working directory
    socket = Path(client.socket_path()) if user_dirs.environ.get("TOKEN_BROKER_SOCKET") else None
    return unit_files.Installation(
        Path(sys.executable), broker_process.beside_us("brokerd"), socket, variables
    )


def folders(user_dirs: UserDirs, config: "Config") -> SandboxPaths:
    """What the daemon of this installation must see."""
    beside = {broker_process.beside_us("brokerd").parent.parent, Path(sys.executable).resolve().parent.parent}
    recorded = UserDirs(user_dirs.home, {**user_dirs.environ, **config.env})  # not today's shell's PATH
    return SandboxPaths(recorded, config, [Path(sys.prefix), Path(sys.base_prefix), *sorted(beside)])


def units_step(user_dirs: UserDirs) -> Step:
    """The units, without the sandbox."""
    here = installation(user_dirs)
    socket = user_dirs.shown(user_dirs.units / systemd.SOCKET_UNIT)
    texts = unit_files.socket_unit(here), unit_files.service_unit(here)
    return unit_files.service_step(
        user_dirs.units, texts, f"{socket}, enabled; starts with the first look-up"
    )


def sandbox_changes(user_dirs: UserDirs, config: "Config") -> tuple[list[Folder], Write]:
    """The folders that must be there before the sandbox is tried, and the sandbox's drop-in."""
    found = folders(user_dirs, config)
    path = user_dirs.units / unit_files.DROP_INS / unit_files.SANDBOX
    return [Folder(folder) for folder in found.sign_ins()], Write(path, unit_files.sandbox(found.view()))


def do_service(user_dirs: UserDirs, journal: UndoLog) -> list[Step]:
    """Write, try, enable and start what the steps say; returns the lines about it. Raises CommandError."""
    needed, drop_in = sandbox_changes(user_dirs, configured(user_dirs).config)
    step = units_step(user_dirs)
    Step("folders", "", needed).do(journal)
    changed = step.do(journal)
    verdict = sandbox_test.SandboxVerdict(0.0)
    if changed or not drop_in.is_done():
        service = unit_files.service_unit(installation(user_dirs))
        verdict = sandbox_test.try_sandbox(service, drop_in.text, sys.executable, journal)
        if verdict.fault is None:
            drop_in.do(journal)
        else:
            journal.take_back(drop_in.path)
        changed = True
    _end_what_serves_already()
    if changed:
        systemd.systemctl("daemon-reload")
    Enable(systemd.SOCKET_UNIT).do(journal)
    if changed and systemd.shown("ActiveState", systemd.SERVICE_UNIT) == "active":
        systemd.systemctl("restart", systemd.SERVICE_UNIT)
    return [step, _told(verdict), _lingering()]


def _told(verdict: sandbox_test.SandboxVerdict) -> Step:
    number = sandbox_test.exposure()
    reached = f"exposure {number} of 10" if number is not None else "exposure unknown"
    if verdict.fault is not None:
        return Step("sandbox", f"not used, {verdict.fault}; {reached} ({LESS})", (), StepMark.OPEN)
    if not verdict.took_s:
        return Step("sandbox", f"{reached} ({LESS})")
    return Step("sandbox", f"probe answered in {verdict.took_s:.1f} s; {reached} ({TRIED}; {LESS})")


def _lingering() -> Step:
    if systemd.lingers():
        return Step("linger", "on: the service stays when you log out")
    return Step(
        "linger", "off: the service stops when you log out", (), StepMark.OPEN, "loginctl enable-linger"
    )


def _end_what_serves_already() -> None:
    """End a broker that a look-up started: systemd will listen on its socket's path."""
    if systemd.shown("ActiveState", systemd.SOCKET_UNIT) == "active":
        return
    try:
        if broker_process.answers(broker_process.socket_path()):
            running.end(int(api_client.read("/v1/status")["pid"]))
    except CommandError:
        return  # a broker that we cannot end notices that it lost its socket, and ends itself
