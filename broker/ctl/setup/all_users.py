"""`brokerctl setup --all-users`: a broker of their own for every user of a machine.

Every user's service manager listens for look-ups; the first one starts that user's broker, as that user.
"""

from broker.ctl.service import systemd
from broker.ctl.setup import unit_files
from broker.ctl.setup.file_changes import Write
from broker.ctl.setup.plan import Step
from broker.ctl.setup.target_root import TargetRoot

JOURNAL = "/var/lib/token-broker/setup/all-users"
UNITS = "/etc/systemd/user"
PRESET = "/etc/systemd/user-preset/50-token-broker.preset"
"""`systemctl --global preset-all` of an image builder goes by it."""


def units_step(image: TargetRoot) -> Step:
    """The units, enabled for every user by the link that `systemctl --global enable` would make.

    Raises CommandError where other users could not run this installation.
    """
    here = image.installation()
    return unit_files.service_step(
        image.at(UNITS),
        (unit_files.socket_unit(here), unit_files.service_unit(here)),
        f"{UNITS}/{systemd.SOCKET_UNIT}, enabled for every user; each broker starts with its user's first"
        " look-up",
        [Write(image.at(PRESET), unit_files.preset()), image.wanted(UNITS, systemd.SOCKET_UNIT)],
    )
