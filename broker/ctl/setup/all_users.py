"""`brokerctl setup --all-users`: a broker of their own for every user of a machine.

Every user's service manager listens for look-ups; the first one starts that user's broker, as that user.
"""

from dataclasses import replace

from broker.ctl.setup import client_keyrings, unit_files
from broker.ctl.setup.changes import Link, PlannedChange, Write
from broker.ctl.setup.keyring_link import is_ours
from broker.ctl.setup.keyring_settings import (
    PIP_LINE,
    UV_LINE,
    pip_provider,
    uv_provider,
    with_pip_line,
    with_uv_line,
)
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.target_root import TargetRoot

JOURNAL = "/var/lib/token-broker/setup/all-users"
LINK = "/usr/local/bin/keyring"
REPLACED = "/usr/local/share/token-broker/replaced/keyring"
UNITS = "/etc/systemd/user"
WANTED_BY = f"{UNITS}/sockets.target.wants"
PRESET = "/etc/systemd/user-preset/50-token-broker.preset"
"""`systemctl --global preset-all` of an image builder goes by it."""

UV_SETTINGS = "/etc/uv/uv.toml"
PIP_SETTINGS = "/etc/pip.conf"

REPLACE = "brokerctl setup --all-users --replace"


def steps(image: TargetRoot, *, replace: bool, configure_clients: bool) -> list[Step]:
    """What is done to the machine. Raises CommandError where not everybody could run this installation."""
    return [service_step(image), *client_steps(image, REPLACE, replace=replace, configure=configure_clients)]


def client_steps(image: TargetRoot, hint: str, *, replace: bool, configure: bool) -> list[Step]:
    """What lets everybody's uv and pip ask; `hint` is how to take another keyring's place."""
    link = link_step(image, hint, replace=replace)
    return [link, *(client_step(each) for each in clients_of(image))] if configure else [link]


def service_step(image: TargetRoot) -> Step:
    """The units, enabled for every user by the link that `systemctl --global enable` would make."""
    here = image.installation()
    socket = f"{UNITS}/{unit_files.SOCKET_UNIT}"
    changes: list[PlannedChange] = [
        Write(image.at(socket), unit_files.socket_unit(here)),
        Write(image.at(f"{UNITS}/{unit_files.SERVICE_UNIT}"), unit_files.service_unit(here)),
        Write(image.at(PRESET), unit_files.preset()),
        Link(image.at(f"{WANTED_BY}/{unit_files.SOCKET_UNIT}"), socket, image.at(f"{socket}.replaced")),
    ]
    said = f"{socket}, enabled for every user; each broker starts with its user's first look-up"
    return Step("service", said, changes)


def link_step(image: TargetRoot, hint: str, *, replace: bool) -> Step:
    """The `keyring` that everybody's uv and pip find."""
    path, shim = image.at(LINK), image.shim()
    link = Link(path, str(shim), image.at(REPLACED))
    said = f"{LINK} \N{RIGHTWARDS ARROW} {shim}"
    is_foreign = path.exists() and not path.is_symlink() and not is_ours(path)
    if path.is_symlink():
        is_foreign = path.readlink().name != shim.name
    if is_foreign and not replace:
        return Step("keyring", f"{LINK} is another keyring and stays", (), StepMark.WRONG, hint)
    return Step(
        "keyring", f"{said}; the one that was there is kept in {REPLACED}" if is_foreign else said, [link]
    )


def clients_of(image: TargetRoot) -> list[client_keyrings.Client]:
    """The settings that uv and pip read before every user's own."""
    return [
        client_keyrings.Client("uv", image.at(UV_SETTINGS), UV_LINE, uv_provider, with_uv_line),
        client_keyrings.Client("pip", image.at(PIP_SETTINGS), PIP_LINE, pip_provider, with_pip_line),
    ]


def client_step(client: client_keyrings.Client) -> Step:
    """The line for one client's settings, in a file that everybody may read."""
    step = client_keyrings.client_step(client, str(client.path))
    changes = [
        replace(each, mode=each.mode | 0o444) if isinstance(each, Write) else each for each in step.changes
    ]
    return replace(step, changes=changes)
