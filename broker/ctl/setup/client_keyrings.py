"""uv and pip, told to use the keyring: one line in each one's user settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broker.ctl import user_files
from broker.ctl.setup.changes import Write
from broker.ctl.setup.keyring_settings import (
    PIP_LINE,
    PROVIDER,
    UV_LINE,
    UnreadableSettingsError,
    pip_provider,
    uv_provider,
    with_pip_line,
    with_uv_line,
)
from broker.ctl.setup.plan import Step, StepMark
from broker.ctl.setup.user_dirs import UserDirs


@dataclass(frozen=True, slots=True)
class Client:
    """A client's settings file, and how it is read and edited."""

    name: str
    path: Path
    line: str
    provider: Callable[[str], str | None]
    edited: Callable[[str], str]


def clients(user_dirs: UserDirs) -> tuple[Client, Client]:
    """Those of uv and of pip."""
    return (
        Client("uv", user_dirs.uv_settings, UV_LINE, uv_provider, with_uv_line),
        Client("pip", user_dirs.pip_settings, PIP_LINE, pip_provider, with_pip_line),
    )


def client_step(client: Client, shown: str) -> Step:
    """The line for one client's settings, and what is said of it; a provider that somebody chose stays.

    `shown` is the file as a person writes it.
    """
    manual_renewal = f"write into {shown}: {client.line}"
    text = user_files.text_of(client.path)
    try:
        now = client.provider(text)
        if now == PROVIDER:
            return Step(client.name, f"keyring is on in {shown}")
        if now is not None:
            return Step(client.name, f"{shown} says {now!r} and stays", (), StepMark.OPEN, manual_renewal)
        mode = user_files.mode_of(client.path) or 0o644
        write = Write(client.path, client.edited(text), mode, client.line)
        return Step(client.name, f"keyring turned on: {shown}", [write])
    except UnreadableSettingsError as failure:
        return Step(client.name, f"{shown} is {failure.detail}", (), StepMark.WRONG, manual_renewal)
