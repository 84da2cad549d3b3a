"""One index of one package client: its URL, where it is written, why its client does not ask the keyring.

Each client's module reads its indexes and has the one function that decides the obstacles. The URL may hold a
password: show `address` or `bare`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from broker.core.failures import BadRequest
from broker.core.one_line import one_line
from broker.core.urls import Url, may_be_token, parse_url

UV = "uv"
PIP = "pip"
PIP_PROGRAM = re.compile(r"pip[0-9.]*")
"""What pip is run as, beside `python -m pip`."""

_HOST = re.compile(r"(?:[\w-]+\.)+[a-zA-Z][\w-]+(?::\d*)?|\d+(?:\.\d+){3}(?::\d*)?")
"""A name with a top-level domain, or an IPv4 address: no version such as `v1.0`."""

ALWAYS = "always"
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fact is written: a file and its line, from 1, or the name of a variable."""

    source: Path | str
    line: int | None = None

    def shown(self, spell: Callable[[Path | str], str]) -> str:
        """The place in a message; `spell` writes the path as a person would."""
        spelt = one_line(spell(self.source))
        return spelt if self.line is None else f"{spelt} line {self.line}"


class Obstacle(StrEnum):
    """Why a client does not ask the keyring for an index, as the object of "it has"."""

    PASSWORD = "a password of its own"  # noqa: S105 - the reason, not a password
    NEVER = 'authenticate = "never"'
    NO_USERNAME = 'no user name and no authenticate = "always"'
    LONE_PASSWORD = "a password in a variable and no user name"  # noqa: S105 - the same
    PAGES_ONLY = "no user name, so the keyring is asked for its pages alone"
    OLD_PIP = "no user name, which pip needs before 26.2"
    USERNAME = "a user name, with which the client sends an empty password"
    TRIED_FIRST = "a password of its own, which is tried before the keyring is asked"
    PROVIDER_OFF = "a client whose keyring provider is not on"


@dataclass(frozen=True, slots=True)
class Index:
    """One index of one client. `name` is empty where none is given.

    `username` is what the client would send, None where it knows none. `password_at` is where a password is
    written that stands beside the URL.
    `option` is the key or option that the place names the URL by. `written` is the whole line of a TOML file
    where the URL may share it with others, in a list, an inline table or one text.
    `publishes` is true of an address that is only uploaded to. `obstacles` are in the order of their weight.
    """

    client: str
    place: Place
    url: str = field(repr=False)
    name: str = ""
    authenticate: str | None = None
    username: str | None = None
    password_at: Place | None = None
    publishes: bool = False
    obstacles: tuple[Obstacle, ...] = ()
    option: str = "url"
    written: str = field(default="", repr=False)

    @classmethod
    def at(
        cls,
        client: str,
        place: Place,
        url: str,
        *,
        name: object = "",
        authenticate: object = None,
        username: object = None,
        password_at: Place | None = None,
        publishes: bool = False,
        option: str = "url",
        written: str = "",
    ) -> Self:
        """The index at a URL, whose own user name and password go before those that are said of it."""
        own = login_in(url)[0]
        return cls(
            client,
            place,
            url,
            name if isinstance(name, str) else "",
            authenticate if isinstance(authenticate, str) else None,
            own or (username if isinstance(username, str) and username else None),
            password_at,
            publishes,
            option=option,
            written=written,
        )

    @property
    def password_in_url(self) -> bool:
        """True where the URL itself holds a password."""
        return login_in(self.url)[1]

    @property
    def has_password(self) -> bool:
        """True where the client needs no keyring."""
        return self.password_in_url or self.password_at is not None

    @property
    def safe_username(self) -> str | None:
        """The user name that may be shown; None without one, and where it may be a token."""
        return None if self.username is None or may_be_token(self.username) else self.username

    @property
    def typed_username(self) -> str | None:
        """The same for a line to type: a variable's name is none."""
        return None if self.username is not None and "${" in self.username else self.safe_username

    @property
    def shown_username(self) -> str:
        """The user name in a sentence."""
        return "a user name that may be a token" if self.safe_username is None else self.safe_username

    @property
    def asks_keyring(self) -> bool:
        """True when the client asks the keyring at least for the pages of this index."""
        return set(self.obstacles) <= {Obstacle.PAGES_ONLY, Obstacle.TRIED_FIRST}

    @property
    def variable(self) -> str:
        """The variable that uv reads the index's user name from (uv's IndexName::to_env_var)."""
        if self.publishes:
            return "UV_PUBLISH_USERNAME"
        return f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', self.name.upper())}_USERNAME"

    @property
    def password_variable(self) -> str:
        """The variable that uv reads the index's password from."""
        return self.variable.removesuffix("USERNAME") + "PASSWORD"

    @property
    def shown(self) -> str:
        """What a person calls it."""
        return f'index "{self.name}"' if self.name else "an index without a name"

    @property
    def is_remote(self) -> bool:
        """True for an address that is asked over a network, false for a folder."""
        try:
            return urlsplit(self.url).scheme in {"http", "https"}
        except ValueError:
            return False

    @property
    def address(self) -> Url:
        """The URL without userinfo. Raises BadRequest that says why it cannot be a feed's."""
        return parse_url(self.bare)

    @property
    def bare(self) -> str:
        """The URL as written, but for its userinfo. Raises BadRequest where that has no clear end."""
        return _bare(self.url)


def addresses_of(text: str) -> tuple[Url, ...]:
    """The address of a client's URL, whatever its userinfo; none where it cannot be a feed's."""
    try:
        return (parse_url(_bare(text)),)
    except BadRequest:
        return ()


def _bare(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    _, at, host = authority.rpartition("@")
    looks_like_a_host = _HOST.fullmatch(path.rpartition("@")[2].partition("/")[0]) is not None
    if not at and "@" in path and (":" in authority or "." not in authority or looks_like_a_host):
        raise BadRequest("its user name or password has a slash that is not encoded")
    return f"{scheme}{separator}{host}{slash}{path}"


def login_in(url: str) -> tuple[str | None, bool]:
    """The user name that the URL holds, None without one, and whether it holds a password, too.

    `${VARIABLE}` is one: what a client does not put in its place it sends as it stands, and asks no keyring
    (uv 0.13.9, pip 26.3, run: of their settings neither replaces any, of requirements those that are set).
    """
    try:
        split = urlsplit(url)
    except ValueError:
        return None, False
    return (unquote(split.username) if split.username else None), bool(split.password)
