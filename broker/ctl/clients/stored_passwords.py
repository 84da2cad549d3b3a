"""Passwords that uv and pip take before they ask any keyring: in netrc, and in uv's own store."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from broker.core.urls import may_be_token, printable
from broker.ctl.clients.foreign_files import tables, toml_file
from broker.ctl.clients.usernames import PLACEHOLDER
from broker.ctl.setup.user_dirs import UserDirs
from broker.host.trusted_file import UnreadableFile, read

STORE = "credentials.toml"
NETRC_BYTES = 65536
"""One that is longer was not written by hand."""

DEFAULT = "default"
_WORD = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|\S+', re.DOTALL)


_Login = TypeVar("_Login")


class StoredLogins(NamedTuple, Generic[_Login]):
    """The logins of one place: those that clients take for a feed's host before they ask, and all `others`.

    Those that are themselves the secret of a feed are in neither.
    """

    shadowing: tuple[_Login, ...]
    others: tuple[_Login, ...]


@dataclass(frozen=True, slots=True)
class NetrcEntry:
    """One entry: its host, or `default`, the lines, from 1, that it takes, and whose password it has."""

    path: Path
    host: str
    first: int
    last: int
    login: str | None = field(default=None, repr=False)

    @property
    def lines(self) -> str:
        """The lines as a sentence has them."""
        return f"line {self.first}" if self.first == self.last else f"lines {self.first}-{self.last}"


def netrc_entries(user_dirs: UserDirs) -> list[NetrcEntry]:
    """Every entry of the netrc that uv and pip read; none where it cannot be read, or they refuse it."""
    path = Path(user_dirs.environ.get("NETRC") or user_dirs.home / ".netrc")
    try:
        return _entries(path, read(path, NETRC_BYTES).decode(errors="replace"))
    except UnreadableFile:
        return []


class _Words:
    """The words of a netrc one after another, and the line, from 1, of the last."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self.line = text, 0, 1

    def next(self) -> str:
        """The next word without its quotes; empty at the end."""
        word = _WORD.search(self._text, self._at)
        if word is None:
            return ""
        self._move(word.start())
        self._at = word.end()
        return word[0] if word["quoted"] is None else re.sub(r"\\(.)", r"\1", word["quoted"])

    def pass_over(self, end: str) -> None:
        """Go on where the text has this, or at its end."""
        at = self._text.find(end, self._at)
        self._move(len(self._text) if at < 0 else at)

    def _move(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to


def _entries(path: Path, text: str) -> list[NetrcEntry]:
    """The entries as Lib/netrc.py (3.11) and uv (0.13.9, run) read them, with comments, quotes and macros."""
    found: list[NetrcEntry] = []
    words = _Words(text)
    while keyword := words.next():
        match keyword:
            case "machine":
                first = words.line
                found.append(NetrcEntry(path, words.next(), first, words.line))
            case "default":
                found.append(NetrcEntry(path, DEFAULT, words.line, words.line))
            case "login" | "user" if found:
                found[-1] = replace(found[-1], login=words.next(), last=words.line)
            case "account" | "password" if found:
                words.next()
                found[-1] = replace(found[-1], last=words.line)
            case "macdef":
                words.pass_over("\n\n")
            case _ if keyword.startswith("#"):
                words.pass_over("\n")
            case _:
                return []
    return found


def netrc_logins(
    user_dirs: UserDirs, hosts: Collection[str], own: Collection[str]
) -> StoredLogins[NetrcEntry]:
    """Netrc's logins; `hosts` are those of feeds, `own` those of feeds whose secret they are."""
    entries = netrc_entries(user_dirs)
    shadowing = [each for each in entries if each.host in hosts or (each.host == DEFAULT and hosts)]
    others = (each for each in entries if each not in shadowing and each.host not in own)
    return StoredLogins(tuple(shadowing), tuple(others))


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """One entry of uv's store: `service` as it stands there, which `shown` is not."""

    service: str = field(repr=False)
    username: str | None

    @property
    def shown(self) -> str:
        """The service's address, without what may be a secret."""
        return printable(self.service) or f"https://{host_of(self.service) or 'HOST'}"

    @property
    def removal(self) -> str:
        """The command that removes it: uv finds an entry by both."""
        username = PLACEHOLDER if may_be_token(self.username or "") else self.username
        named = "" if username is None else f" --username {quote(username)}"
        return f"uv auth logout {quote(self.shown)}{named}"


def uv_store_entries(user_dirs: UserDirs) -> Iterator[StoredLogin]:
    """What `uv auth login` stored a password for."""
    folder = user_dirs.environ.get("UV_CREDENTIALS_DIR") or user_dirs.belongings / "uv" / "credentials"
    for _, entry in tables(toml_file(Path(folder, STORE)).content, "credential"):
        service, username = entry.get("service"), entry.get("username")
        if isinstance(service, str) and service:
            yield StoredLogin(service, username if isinstance(username, str) else None)


def uv_store_logins(user_dirs: UserDirs, hosts: Collection[str]) -> StoredLogins[StoredLogin]:
    """The logins of uv's store; `hosts` are those of feeds."""
    entries = list(uv_store_entries(user_dirs))
    shadowing = [each for each in entries if host_of(each.service) in hosts]
    return StoredLogins(tuple(shadowing), tuple(each for each in entries if each not in shadowing))


def host_of(service: str) -> str | None:
    """The host of a service's address."""
    try:
        return urlsplit(service).hostname
    except ValueError:
        return None
