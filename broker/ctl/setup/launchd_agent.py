"""The service on macOS: a launchd agent with the user's socket. Not run on a Mac yet."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from broker.ctl import broker_process
from broker.ctl.service import launchctl
from broker.ctl.service.verb import LOG_NAME
from broker.ctl.setup.file_changes import Folder, Write
from broker.ctl.setup.plan import Step
from broker.ctl.setup.service_changes import Load
from broker.ctl.setup.undo_log import UndoLog
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.setup.user_service import installation

TEMPLATE = Path(__file__).with_name("launchd") / f"{launchctl.LABEL}.plist"
AGENTS = "Library/LaunchAgents"


def plist(*, python: Path, brokerd: Path, socket: Path, variables: Mapping[str, str]) -> str:
    """The agent's text."""
    pairs = "".join(
        f"<key>{escape(name, quote=False)}</key><string>{escape(value, quote=False)}</string>"
        for name, value in variables.items()
    )
    text = TEMPLATE.read_text("utf-8")
    values = {"PYTHON": python, "BROKERD": brokerd, "SOCKET": socket, "LOG": socket.with_name(LOG_NAME)}
    for mark, path in values.items():
        text = text.replace(f"@{mark}@", escape(str(path), quote=False))
    return text.replace("@VARIABLES@", pairs)


def agent_path(user_dirs: UserDirs) -> Path:
    """Where launchd looks for the user's agent."""
    return user_dirs.home / AGENTS / f"{launchctl.LABEL}.plist"


def agent_step(user_dirs: UserDirs) -> Step:
    """The folder of the socket, which launchd does not make, and the agent's file."""
    here, socket = installation(user_dirs), Path(broker_process.socket_path())
    text = plist(python=here.python, brokerd=here.brokerd, socket=socket, variables=here.variables)
    path = agent_path(user_dirs)
    said = f"{user_dirs.shown(path)}, loaded; starts with the first look-up"
    return Step("service", said, [Folder(socket.parent), Write(path, text)])


def do_agent(user_dirs: UserDirs, journal: UndoLog) -> list[Step]:
    """Write and load what the step says; returns the line about it. Raises CommandError."""
    step = agent_step(user_dirs)
    if step.do(journal):
        launchctl.unload()
    if not launchctl.is_loaded():
        Load(agent_path(user_dirs)).do(journal)
    return [step]
