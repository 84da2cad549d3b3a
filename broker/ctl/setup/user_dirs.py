"""The paths of one user's files (CONTRACT section 2), from the home and the environment alone."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from broker.config.paths import ConfigPaths, config_paths
from broker.host.whereabouts import home_of

MAC_SETTINGS = "Library/Application Support"


@dataclass(frozen=True, slots=True)
class UserDirs:
    """The user's folders, and the files in them that setup reads or writes."""

    home: Path
    environ: Mapping[str, str]

    @classmethod
    def here(cls) -> Self:
        """Those of the user who runs this program."""
        return cls(home_of(os.environ), os.environ)

    @property
    def settings(self) -> Path:
        """$XDG_CONFIG_HOME, or ~/.config."""
        return self._folder("XDG_CONFIG_HOME", ".config")

    @property
    def site_settings(self) -> list[Path]:
        """$XDG_CONFIG_DIRS, or /etc/xdg: the strongest first."""
        named = self.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        return [Path(folder) for folder in named.split(os.pathsep) if folder.startswith("/")]

    @property
    def belongings(self) -> Path:
        """$XDG_DATA_HOME, or ~/.local/share."""
        return self._folder("XDG_DATA_HOME", ".local/share")

    @property
    def configuration(self) -> ConfigPaths:
        """The broker's own files."""
        return config_paths(None, self.environ, self.home)

    @property
    def units(self) -> Path:
        """This user's units."""
        return self.settings / "systemd" / "user"

    @property
    def link(self) -> Path:
        """The `keyring` that setup makes for uv and pip."""
        return self.home / ".local" / "bin" / "keyring"

    @property
    def replaced(self) -> Path:
        """Where setup moves a keyring that it replaces; the shim looks there after PATH."""
        return self.belongings / "token-broker" / "replaced" / "keyring"

    @property
    def backend(self) -> Path:
        """The folder of the keyring backend that `setup --clients` gives to clients' environments."""
        return self.belongings / "token-broker" / "keyring-backend"

    @property
    def journal(self) -> Path:
        """The folder of the undo log, which teardown reads."""
        return self.belongings / "token-broker" / "setup"

    @property
    def uv_settings(self) -> Path:
        """The user's uv.toml (uv reads ~/.config on macOS, too)."""
        return self.settings / "uv" / "uv.toml"

    @property
    def pip_settings(self) -> Path:
        """The user's pip.conf (pip's topic "Configuration", location "User")."""
        mac = self.home / MAC_SETTINGS / "pip"
        if sys.platform == "darwin" and mac.is_dir():
            return mac / "pip.conf"
        return self.settings / "pip" / "pip.conf"

    def search_path(self) -> list[Path]:
        """The folders of PATH that programs are looked for in; empty and relative entries name none."""
        entries = self.environ.get("PATH", os.defpath).split(os.pathsep)
        return [Path(entry) for entry in dict.fromkeys(entries) if entry.startswith("/")]

    def program(self, name: str) -> Path | None:
        """The program of this name on PATH."""
        found = shutil.which(name, path=os.pathsep.join(str(folder) for folder in self.search_path()))
        return None if found is None else Path(found)

    def expanded(self, text: str) -> Path:
        """The path that a file of this user's names, which may begin with `~/`."""
        return self.home / text[2:] if text.startswith("~/") else Path(text)

    def shown(self, path: Path | str) -> str:
        """The path with `~/` for the home; a text, such as a variable's name, stays as it is."""
        if isinstance(path, str):
            return path
        return f"~/{path.relative_to(self.home)}" if path.is_relative_to(self.home) else str(path)

    def _folder(self, variable: str, otherwise: str) -> Path:
        named = Path(self.environ.get(variable, ""))
        return named if named.is_absolute() else self.home / otherwise
