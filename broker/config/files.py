"""The configuration's files as text: the site's, `env.toml`, the user's, each only where it can be trusted.

One that others could write or replace is refused: its writer chooses which command the daemon runs.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import NamedTuple, Self

from broker.config.model import Role
from broker.config.paths import ConfigPaths
from broker.core.failures import BadConfiguration
from broker.host.trusted_file import MissingFile, UnreadableFile, read_trusted, text_of

CONFIG_BYTES_MAX = 16 * 1024 * 1024
"""10,000 feeds take about 2 MB."""

ROLES: tuple[Role, ...] = ("site", "env", "user")


class LayerText(NamedTuple):
    """One file of the configuration: what it is for, where it is, what it says."""

    role: Role
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Where the layers are, the first one winning least. Any may be missing, but not a `required` user's."""

    site: Path | None
    env: Path | None
    user: Path
    required: bool = False

    @classmethod
    def of(cls, paths: ConfigPaths) -> Self:
        """Those of the paths."""
        return cls(paths.site, paths.env, paths.user, required=paths.named)

    def read(self, roles: Collection[Role] = ROLES) -> list[LayerText]:
        """Every file there is, of these roles; raises BadConfiguration for one that cannot be used."""
        paths: dict[Role, Path | None] = {"site": self.site, "env": self.env, "user": self.user}
        layers = []
        for role, path in paths.items():
            if role not in roles:
                continue
            required = self.required and role == "user"
            text = None if path is None else _text(path, role, required=required)
            if path is not None and text is not None:
                layers.append(LayerText(role, path, text))
        return layers

    def stamps(self) -> Hashable:
        """A value that changes when a file does."""
        return tuple(_stamp(path) for path in (self.site, self.env, self.user) if path is not None)


def _text(path: Path, role: Role, *, required: bool) -> str | None:
    """What the file says; None where there is none, but not where a link to one leads nowhere: who made it,
    as tools that keep dotfiles do, has a configuration.
    """
    try:
        # root's files have no owner in our unit's sandbox; only root can have put one where the site's lies
        content = read_trusted(path, CONFIG_BYTES_MAX, unmapped=role == "site")
        return text_of(path, content)
    except MissingFile as failure:
        if failure.hint is not None:
            raise BadConfiguration(str(failure), hint=failure.hint) from None
        if required:
            folder, file = quote(str(path.parent)), quote(str(path))
            made = f"umask 077; mkdir -p {folder}; touch {file}"  # others may write neither
            raise BadConfiguration(str(failure), hint=join(("sh", "-c", made))) from None
        return None
    except UnreadableFile as failure:
        raise BadConfiguration(str(failure), hint=failure.hint) from None


def _stamp(path: Path) -> Hashable:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
