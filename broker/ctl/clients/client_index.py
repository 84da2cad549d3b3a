"""An index as somebody's file or variable names it. Its URL is as written there, a password included."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from broker.core.failures import BadRequest
from broker.core.urls import Url, parse_url

UV = "uv"
ALWAYS = "always"
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Index:
    """One index of one client's. `place` is the file, or the variable; `name` is empty where none is given.

    `username` is what the client would send, None where it knows none. `has_password`: it needs no keyring.
    `publishes` is true of an address that is only uploaded to.
    """

    client: str
    place: Path | str
    url: str = field(repr=False)
    name: str = ""
    authenticate: str | None = None
    username: str | None = None
    has_password: bool = False
    publishes: bool = False

    @classmethod
    def at(
        cls,
        client: str,
        place: Path | str,
        url: str,
        *,
        name: object = "",
        authenticate: object = None,
        username: object = None,
        has_password: bool = False,
        publishes: bool = False,
    ) -> Self:
        """The index at a URL, whose own user name and password go before those that are said of it."""
        own, held = login_in(url)
        return cls(
            client,
            place,
            url,
            name if isinstance(name, str) else "",
            authenticate if isinstance(authenticate, str) else None,
            own or (username if isinstance(username, str) and username else None),
            held or has_password,
            publishes,
        )

    @property
    def variable(self) -> str:
        """The variable that uv reads the index's user name from (uv's IndexName::to_env_var)."""
        return f"UV_INDEX_{re.sub(r'[^A-Z0-9]', '_', self.name.upper())}_USERNAME"

    @property
    def password_variable(self) -> str:
        """The variable beside it."""
        return self.variable.removesuffix("USERNAME") + "PASSWORD"

    @property
    def is_silent(self) -> bool:
        """True of an index that uv asks no keyring about, whatever its server answers."""
        if self.client != UV or self.publishes or self.authenticate in {ALWAYS, NEVER}:
            return False  # one that never authenticates is meant so
        return self.username is None and not self.has_password

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
        """The URL without userinfo. Raises BadRequest that says why it can be nobody's feed."""
        return parse_url(self.bare)

    @property
    def bare(self) -> str:
        """The URL as written, but for its userinfo. Raises BadRequest where that has no clear end."""
        scheme, separator, rest = self.url.partition("://")
        authority, slash, path = rest.partition("/")
        _, at, host = authority.rpartition("@")
        looks_like_a_host = "." in path.rpartition("@")[2].partition("/")[0]
        if not at and "@" in path and (":" in authority or "." not in authority or looks_like_a_host):
            raise BadRequest("its user name or password has a slash that is not encoded")
        return f"{scheme}{separator}{host}{slash}{path}"


def login_in(url: str) -> tuple[str | None, bool]:
    """The user name that the URL holds, None without one, and whether it holds a password, too.

    A password that is named as `${VARIABLE}` is held elsewhere.
    """
    try:
        split = urlsplit(url)
    except ValueError:
        return None, False
    return (unquote(split.username) if split.username else None), bool(
        split.password and not split.password.startswith("${")
    )
