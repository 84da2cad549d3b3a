"""pip's indexes: of its variables, of its configuration files, and of a project's requirements files."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import sections
from broker.ctl.setup.user_dirs import UserDirs

PIP = "pip"
KEYS = ("index-url", "extra-index-url")
VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
NAME = "pip.conf"
REQUIREMENTS = "requirements*.txt"
REQUIREMENTS_BYTES = 1 << 20
"""A file with hashes of a thousand packages is shorter."""

_OPTION = re.compile(r"^(?:-i|--index-url|--extra-index-url)(?:=|\s+)(\S+)", re.MULTILINE)
"""An index in a requirements file (pip's "Requirements File Format")."""


def pip_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every index that pip may use in `directory`, the strongest first."""
    for path in sorted(directory.glob(REQUIREMENTS)):
        for url in _OPTION.findall(_text(path)):
            yield Index.at(PIP, path, url)
    for variable in VARIABLES:
        for url in user_dirs.environ.get(variable, "").split():
            yield Index.at(PIP, variable, url)
    for path in pip_files(user_dirs):
        for settings in sections(path).values():
            for key, value in settings.items():
                if key.replace("_", "-") in KEYS:
                    for url in value.split():
                        yield Index.at(PIP, path, url)


def pip_files(user_dirs: UserDirs) -> list[Path]:
    """The files that pip reads, the strongest first (pip 26.3, `_internal/configuration.py`).

    $PIP_CONFIG_FILE comes first, takes the user's files' place where it exists, and is no file at all when
    it is os.devnull. pip's own environment is taken to be the active one.
    """
    chosen, virtual = user_dirs.environ.get("PIP_CONFIG_FILE"), user_dirs.environ.get("VIRTUAL_ENV")
    if chosen == os.devnull:
        return []
    files = [Path(chosen)] if chosen else []
    files += [Path(virtual) / NAME] if virtual else []
    if not chosen or not Path(chosen).exists():
        files += [user_dirs.pip_settings, user_dirs.home / ".pip" / NAME]
    if sys.platform == "darwin":
        return [*files, Path("/Library/Application Support/pip") / NAME]
    return [
        *files,
        Path("/etc") / NAME,
        *(folder / "pip" / NAME for folder in reversed(user_dirs.site_settings)),
    ]


def _text(path: Path) -> str:
    """The file's beginning; empty where it cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(REQUIREMENTS_BYTES)
    except OSError:
        return ""
