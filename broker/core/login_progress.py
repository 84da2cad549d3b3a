"""What an interactive sign-in tells on its way: the page to open, and how it ended. No secret in it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LoginMethod(StrEnum):
    """How a person signs in: with a code on any device, or with a browser on this machine."""

    DEVICE_CODE = "device-code"
    BROWSER = "browser"


class Kept(StrEnum):
    """Where a sign-in lives: the system's secret store, a file of the user's in plain text, or the daemon."""

    SECRET_STORE = "secret-store"  # noqa: S105 - a place's name
    FILE = "file"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class LoginPage:
    """Where the person signs in until `expires_at` (UTC); `code` is typed there, None where none is asked."""

    url: str
    code: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who has signed in, and where that is kept."""

    account: str
    kept: Kept


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Whose sign-in was dropped (None: there was none), and what `remains` because we cannot take it back."""

    account: str | None
    remains: tuple[str, ...] = ()
