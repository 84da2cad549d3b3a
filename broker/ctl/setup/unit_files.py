"""The text of the systemd units for this installation, made from the templates of `systemd/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker.ctl.service.systemd import SERVICE_UNIT, SOCKET_UNIT
from broker.ctl.setup.changes import PlannedChange
from broker.ctl.setup.file_changes import Write
from broker.ctl.setup.plan import Step

TEMPLATES = Path(__file__).with_name("systemd")

SANDBOX = "50-sandbox.conf"
DROP_INS = f"{SERVICE_UNIT}.d"

OWN_SOCKET = "%t/token-broker/broker.sock"
"""Where a user's socket is unless TOKEN_BROKER_SOCKET names another place: %t is the runtime directory."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What the units name: the installation's absolute paths, its socket, its configuration's variables."""

    python: Path
    brokerd: Path
    socket: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """What the daemon sees of the homes: folders it may write to, and folders that it may only read.

    `keeps_home`: the homes stay visible, read-only, because the daemon needs a file that is directly in one.
    """

    writable: Sequence[Path] = ()
    readable: Sequence[Path] = ()
    keeps_home: bool = False


def socket_unit(installation: Installation) -> str:
    """token-broker.socket."""
    socket = OWN_SOCKET if installation.socket is None else _plain(str(installation.socket))
    return _filled(SOCKET_UNIT, {"@SOCKET@": socket})


def service_unit(installation: Installation) -> str:
    """token-broker.service."""
    pairs = (_quoted(f"{name}={value}") for name, value in installation.variables.items())
    return _filled(
        SERVICE_UNIT,
        {
            "@PYTHON@": executed(str(installation.python)),
            "@BROKERD@": executed(str(installation.brokerd)),
            "@ENVIRONMENT@": " ".join(pairs),
        },
    )


def service_step(
    folder: Path, texts: tuple[str, str], said: str, enabling: Sequence[PlannedChange] = ()
) -> Step:
    """The units of the socket and the service with these texts, in this folder, and what enables them."""
    units = zip((SOCKET_UNIT, SERVICE_UNIT), texts, strict=True)
    return Step("service", said, [*(Write(folder / unit, text) for unit, text in units), *enabling])


def preset() -> str:
    """The preset by which every user's socket is enabled."""
    return _filled("user-preset/50-token-broker.preset", {})


def sysusers(group: str | None) -> str:
    """The system broker's user, and the group whose members may ask it unless that group exists already."""
    return _filled("sysusers.d/token-broker.conf", {"@GROUP_LINE@\n": f"g {group} -\n" if group else ""})


def system_socket_unit(group: str) -> str:
    """token-broker.socket of the system broker, open to the group."""
    return _filled(f"system/{SOCKET_UNIT}", {"@GROUP@": _plain(group)})


def system_service_unit(installation: Installation) -> str:
    """token-broker.service of the system broker."""
    return _filled(
        f"system/{SERVICE_UNIT}",
        {"@PYTHON@": executed(str(installation.python)), "@BROKERD@": executed(str(installation.brokerd))},
    )


def sandbox(view: View) -> str:
    """The drop-in that hides the rest of the homes from the daemon."""
    writable = [_quoted(f"-{path}") for path in view.writable]
    readable = [_quoted(f"-{path}") for path in view.readable]
    if view.keeps_home:
        binds = [f"ReadWritePaths={path}" for path in ("-%t/token-broker/shares", *writable)]
    else:
        binds = [
            "BindPaths=%t/systemd/notify -%t/bus -%t/token-broker/shares",
            "BindReadOnlyPaths=-%t/token-broker",
            *(f"BindPaths={path}" for path in writable),
        ]
        binds += [f"BindReadOnlyPaths={path}" for path in readable]
    return _filled(
        SANDBOX, {"@HOME@": "read-only" if view.keeps_home else "tmpfs", "@BINDS@": "\n".join(binds)}
    )


def _filled(name: str, values: Mapping[str, str]) -> str:
    text = (TEMPLATES / name).read_text("utf-8")
    for mark, value in values.items():
        text = text.replace(mark, value)
    return "\n".join(line for line in text.split("\n") if line != "Environment=")


def executed(word: str) -> str:
    """One word of a command line, in which `$` would begin a variable."""
    return _quoted(word).replace("$", "$$")


def _quoted(word: str) -> str:
    """One word of a unit's line (systemd.syntax(7))."""
    text = _plain(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _plain(word: str) -> str:
    """A value in which systemd sees no specifier."""
    return word.replace("%", "%%")
