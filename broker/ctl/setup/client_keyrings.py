"""uv and pip, told to use the keyring: one line in each one's user settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broker.ctl.setup import file_writing
from broker.ctl.setup.keyring_settings import (
    PIP_LINE,
    PROVIDER,
    UV_LINE,
    Unreadable,
    pip_provider,
    uv_provider,
    with_pip_line,
    with_uv_line,
)
from broker.ctl.setup.plan import Mark, Step, Write
from broker.ctl.setup.user_dirs import Places


@dataclass(frozen=True, slots=True)
class Client:
    """A client's settings file, and how it is read and edited."""

    name: str
    path: Path
    line: str
    provider: Callable[[str], str | None]
    edited: Callable[[str], str]


def clients(places: Places) -> tuple[Client, Client]:
    """Those of uv and of pip."""
    return (
        Client("uv", places.uv_settings, UV_LINE, uv_provider, with_uv_line),
        Client("pip", places.pip_settings, PIP_LINE, pip_provider, with_pip_line),
    )


def client_step(client: Client, shown: str) -> Step:
    """The line for one client's settings, and what is said of it; a provider that somebody chose stays.

    `shown` is the file as a person writes it.
    """
    by_hand = f"write into {shown}: {client.line}"
    text = file_writing.text_of(client.path)
    try:
        now = client.provider(text)
        if now == PROVIDER:
            return Step(client.name, f"keyring is on in {shown}")
        if now is not None:
            return Step(client.name, f"{shown} says {now!r} and stays", (), Mark.OPEN, by_hand)
        mode = file_writing.mode_of(client.path) or 0o644
        write = Write(client.path, client.edited(text), mode, client.line)
        return Step(client.name, f"keyring turned on: {shown}", [write])
    except Unreadable as trouble:
        return Step(client.name, f"{shown} is {trouble.detail}", (), Mark.WRONG, by_hand)
