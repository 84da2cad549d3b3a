"""uv and pip, told to use the keyring: one line in each one's user settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broker.ctl import user_files
from broker.ctl.clients.keyring_provider import SUBPROCESS
from broker.ctl.command_error import CommandError
from broker.ctl.setup.file_changes import Shown, Write
from broker.ctl.setup.keyring_settings import (
    PIP_LINE,
    UV_LINE,
    UnreadableSettingsError,
    pip_provider,
    uv_provider,
    with_pip_line,
    with_uv_line,
)
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.user_dirs import UserDirs

NEW_FILE = 0o644


@dataclass(frozen=True, slots=True)
class Client:
    """A client's settings file, and how it is shown, read and edited. `mode`: bits it must have."""

    name: str
    path: Path
    shown: str
    mode: int
    line: str
    provider: Callable[[str], str | None]
    edited: Callable[[str], str]


def clients(
    uv_settings: Path, pip_settings: Path, shown: Shown, *, for_all_users: bool = False
) -> tuple[Client, Client]:
    """Those of uv and pip with these settings, which every user must be able to read if `for_all_users`."""
    mode = 0o444 if for_all_users else 0
    return (
        Client("uv", uv_settings, shown(uv_settings), mode, UV_LINE, uv_provider, with_uv_line),
        Client("pip", pip_settings, shown(pip_settings), mode, PIP_LINE, pip_provider, with_pip_line),
    )


def clients_of(user_dirs: UserDirs) -> tuple[Client, Client]:
    """Those of uv and pip with the user's own settings."""
    return clients(user_dirs.uv_settings, user_dirs.pip_settings, user_dirs.shown)


def client_step(client: Client) -> Step:
    """The step that adds one client's line; another provider that its settings name stays, and so does a file
    that cannot be read: setup takes its other steps.
    """
    shown, manual = client.shown, f"write into {client.shown}: {client.line}"
    try:
        text = user_files.text_of(client.path)
        now = client.provider(text)
    except UnreadableSettingsError as failure:
        return Step(client.name, f"{shown} is {failure.detail}", (), StepMark.WRONG, f"correct {shown}")
    except CommandError as failure:
        said = failure.detail.replace(str(client.path), shown)
        return Step(client.name, said, (), StepMark.WRONG, failure.hint or f"correct {shown}")
    if now == SUBPROCESS:
        return Step(client.name, f"keyring is on in {shown}")
    if now is not None:
        return Step(client.name, f"{shown} says {now!r} and stays", (), StepMark.OPEN, manual)
    mode = (user_files.mode_of(client.path) or NEW_FILE) | client.mode
    try:
        write = Write(client.path, client.edited(text), mode, client.line)
    except UnreadableSettingsError as failure:
        return Step(client.name, f"{shown} is {failure.detail}", (), StepMark.WRONG, manual)
    return Step(client.name, f"keyring turned on: {shown}", [write])
