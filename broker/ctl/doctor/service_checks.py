"""The service: enabled, not given up, staying after the logout, and made for this installation."""

from collections.abc import Iterator
from pathlib import Path

from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, fine, problem, warning
from broker.ctl.service import systemd
from broker.ctl.setup import all_users
from broker.ctl.setup.target_root import TargetRoot
from broker.ctl.setup.user_service import sandbox_changes, units_step

ENABLE = ("enable", "--now", systemd.SOCKET_UNIT)


def service_is_enabled(context: DoctorContext) -> Iterator[Finding]:
    """The socket starts with every login, and was not given up after too many failures."""
    if not context.has_service:
        return
    if not systemd.has_units():
        if context.system.status is None:
            yield warning("service", "the service is not installed", "brokerctl setup")
        return
    if systemd.shown("UnitFileState", systemd.SOCKET_UNIT) != "enabled":
        command = f"systemctl --user {' '.join(ENABLE)}"
        yield problem("service", "the service is not enabled", command, lambda: _do(*ENABLE))
    elif "failed" in {
        systemd.shown("ActiveState", unit) for unit in (systemd.SOCKET_UNIT, systemd.SERVICE_UNIT)
    }:
        yield problem(
            "service", "the service failed too often and was given up", "brokerctl start", _begin_anew
        )
    else:
        yield fine("service", "service starts with the first look-up")


def service_lingers(context: DoctorContext) -> Iterator[Finding]:
    """The service outlives the last session, for cron and for ssh."""
    if context.has_service and systemd.has_units() and not systemd.lingers():
        yield warning("linger", "the service stops when you log out", "loginctl enable-linger")


def units_are_of_this_installation(context: DoctorContext) -> Iterator[Finding]:
    """What is installed is what this installation would install."""
    if not (context.has_service and systemd.has_units()):
        return
    # Debian shows /etc/systemd/user by its other name, below /etc/xdg
    unit = Path(systemd.shown("FragmentPath", systemd.SOCKET_UNIT)).resolve()
    is_everybodys = unit == Path(all_users.UNITS, systemd.SOCKET_UNIT).resolve()
    try:
        step = all_users.units_step(TargetRoot()) if is_everybodys else units_step(context.user_dirs)
        _, drop_in = sandbox_changes(context.user_dirs, context.configured.config)
    except CommandError as failure:
        yield problem("units", failure.detail, failure.hint)
        return
    if step.pending:
        again = "sudo brokerctl setup --all-users" if is_everybodys else "brokerctl setup"
        yield problem("units", "the service's units are of another installation or version", again)
    if context.configured.failure is not None or drop_in.is_done():
        return
    if user_files.content_of(drop_in.path) is not None:
        said = "the sandbox was made for other feeds, folders or an older version"
        yield warning("units", said, "brokerctl setup")


def _begin_anew() -> None:
    _do("reset-failed", systemd.SOCKET_UNIT, systemd.SERVICE_UNIT)
    _do("start", systemd.SOCKET_UNIT)


def _do(*words: str) -> None:
    complaint = systemd.systemctl(*words)
    if complaint is not None:
        raise CommandError(complaint)
