"""`brokerctl setup --system`: one broker for a group of users, under an identity that is no person's."""

from broker.config.paths import SYSTEM
from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.setup import all_users, unit_files
from broker.ctl.setup.changes import Link, PlannedChange, Write
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.target_root import TargetRoot

JOURNAL = "/var/lib/token-broker/setup/system"
"""Root's, unlike the service's home beside it: what is undone must not be for the service to say."""

UNITS = "/etc/systemd/system"
WANTED_BY = f"{UNITS}/sockets.target.wants"
SYSUSERS = "/etc/sysusers.d/token-broker.conf"
REPLACE = "brokerctl setup --system --replace"

GROUP = "feed-users"
"""Made when no other group is named."""

BEGINNING = """\
# The feeds of this machine's broker, over the site's /etc/token-broker/config.toml. Who may use one is said
# by its `allow`; without it only root may. Secrets stay outside: credential:NAME is what the unit loads
# by that name.
#
# [[feed]]
# name = "corp"
# url = "https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/"
# auth = ["managed-identity"]
# allow = { groups = ["developers"] }
"""


def steps(image: TargetRoot, group: str | None, *, replace: bool, configure_clients: bool) -> list[Step]:
    """What is done to the machine. Raises CommandError where the service could not run this installation."""
    return [
        user_step(image, group),
        service_step(image, group or GROUP),
        *all_users.client_steps(image, REPLACE, replace=replace, configure=configure_clients),
        configuration_step(image),
    ]


def user_step(image: TargetRoot, group: str | None) -> Step:
    """The service's user, and the group that may ask where none is named."""
    if group is not None and image.is_live and not _is_there(group):
        raise CommandError(f"there is no group {group}", hint=f"groupadd --system {group}")
    made = f", group {GROUP}" if group is None else ""
    said = f"user token-broker{made} ({SYSUSERS})"
    return Step("user", said, [Write(image.at(SYSUSERS), unit_files.sysusers(None if group else GROUP))])


def service_step(image: TargetRoot, group: str) -> Step:
    """The units, with the socket enabled."""
    here = image.installation()
    socket = f"{UNITS}/{unit_files.SOCKET_UNIT}"
    changes: list[PlannedChange] = [
        Write(image.at(socket), unit_files.system_socket_unit(group)),
        Write(image.at(f"{UNITS}/{unit_files.SERVICE_UNIT}"), unit_files.system_service_unit(here)),
        Link(image.at(f"{WANTED_BY}/{unit_files.SOCKET_UNIT}"), socket, image.at(f"{socket}.replaced")),
    ]
    return Step("service", f"{socket}, enabled; open to the members of {group}", changes)


def configuration_step(image: TargetRoot) -> Step:
    """The configuration to begin with, where there is none: it is the administrator's from then on."""
    path = image.at(str(SYSTEM))
    if user_files.content_of(path) is not None:
        return Step("feeds", f"{SYSTEM} is there and stays")
    return Step("feeds", f"{SYSTEM} is to be filled in", [Write(path, BEGINNING)], StepMark.OPEN)


def _is_there(group: str) -> bool:
    import grp  # noqa: PLC0415 - this verb only

    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True
