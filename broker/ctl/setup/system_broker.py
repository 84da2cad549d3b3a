"""`brokerctl setup --system`: one broker for a group of users, under a service account of its own."""

import shlex

from broker.config.paths import SYSTEM
from broker.ctl import user_files
from broker.ctl.command_error import CommandError
from broker.ctl.service import systemd
from broker.ctl.setup import unit_files
from broker.ctl.setup.file_changes import Write
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.target_root import TargetRoot

JOURNAL = "/var/lib/token-broker/setup/system"
"""Only root can write here. The service owns its home beside it, and must not decide what root undoes."""

UNITS = "/etc/systemd/system"
SYSUSERS = "/etc/sysusers.d/token-broker.conf"

GROUP = "feed-users"
"""The group that setup makes when --group names none."""

BEGINNING = """\
# The feeds of this machine's broker, in addition to those in /etc/token-broker/config.toml. `allow` names the
# users of a feed; without it only root may use it. Do not write secrets here: credential:NAME reads the
# credential that the unit loads under that name.
#
# [[feed]]
# name = "corp"
# url = "https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/"
# auth = ["managed-identity"]
# allow = { groups = ["developers"] }
"""


def own_steps(image: TargetRoot, group: str | None) -> tuple[list[Step], list[Step]]:
    """What is done to the machine before the clients are set up, and after. Raises CommandError where the
    service could not run this installation.
    """
    return [user_step(image, group), units_step(image, group or GROUP)], [configuration_step(image)]


def user_step(image: TargetRoot, group: str | None) -> Step:
    """The service's user, and the default group unless another one is named."""
    if group is not None and image.is_live and not _is_there(group):
        raise CommandError(f"there is no group {group}", hint=f"groupadd --system {shlex.quote(group)}")
    made = f", group {GROUP}" if group is None else ""
    said = f"user token-broker{made} ({SYSUSERS})"
    return Step("user", said, [Write(image.at(SYSUSERS), unit_files.sysusers(None if group else GROUP))])


def units_step(image: TargetRoot, group: str) -> Step:
    """The units, with the socket enabled."""
    return unit_files.service_step(
        image.at(UNITS),
        (unit_files.system_socket_unit(group), unit_files.system_service_unit(image.installation())),
        f"{UNITS}/{systemd.SOCKET_UNIT}, enabled; open to the members of {group}",
        [image.wanted(UNITS, systemd.SOCKET_UNIT)],
    )


def configuration_step(image: TargetRoot) -> Step:
    """A first configuration where there is none. Setup never changes an existing one."""
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
