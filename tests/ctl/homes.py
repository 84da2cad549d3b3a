"""Home directories: what is in them before a test, and every path in them with its kind, mode and content."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Furnish = Callable[[Path], None]


UV_SETTINGS = ".config/uv/uv.toml"
PIP_SETTINGS = ".config/pip/pip.conf"
LINK = ".local/bin/keyring"
REPLACED = ".local/share/token-broker/replaced/keyring"
JOURNAL = ".local/share/token-broker/setup"
SHIM = Path(sys.executable).parent / "keyring-shim"


def tree(home: Path, *, without: tuple[str, ...] = ()) -> dict[str, tuple[str, object]]:
    """Every entry below `home`, by its path in it; nothing below `without`."""
    found: dict[str, tuple[str, object]] = {}
    for path in sorted(home.rglob("*")):
        place = path.relative_to(home).as_posix()
        if any(place == each or place.startswith(f"{each}/") for each in without):
            continue
        mode = stat.filemode(path.lstat().st_mode)
        if path.is_symlink():
            found[place] = mode, str(path.readlink())
        else:
            found[place] = mode, path.read_bytes() if path.is_file() else None
    return found


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def nothing(_: Path) -> None:
    """An empty home."""


def settings_of_both(home: Path) -> None:
    write(home / UV_SETTINGS, '# mine\noffline = false\n\n[pip]\nstrict = true  # "quoted"\n', 0o600)
    write(home / PIP_SETTINGS, "[global]\ntimeout = 60\n; a comment\n\n[install]\nno-compile = true", 0o640)


def settings_in_a_dotfiles_folder(home: Path) -> None:
    write(home / "dotfiles" / "uv.toml", "offline = false\r\n")
    (home / UV_SETTINGS).parent.mkdir(parents=True)
    (home / UV_SETTINGS).symlink_to("../../dotfiles/uv.toml")


def foreign_keyring(home: Path) -> None:
    write(home / LINK, "#!/bin/sh\necho foreign\n", 0o755)


def foreign_keyring_by_a_relative_link(home: Path) -> None:
    write(home / "apps" / "keyring", "#!/bin/sh\necho foreign\n", 0o755)
    (home / LINK).parent.mkdir(parents=True)
    (home / LINK).symlink_to("../../apps/keyring")


HOMES: list[Furnish] = [
    nothing,
    settings_of_both,
    settings_in_a_dotfiles_folder,
    foreign_keyring,
    foreign_keyring_by_a_relative_link,
]


def library_client(home: Path) -> None:
    """What `uv tool install twine` leaves, as far as `setup --clients` looks at it."""
    environment = home / ".local/share/uv/tools/twine"
    write(environment / "bin" / "python3", "", 0o755)
    write(environment / "lib/python3.11/site-packages/keyring/__init__.py", "")
    write(home / ".local/bin/twine", f"#!{environment}/bin/python3\n", 0o755)
