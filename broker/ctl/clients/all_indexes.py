"""All the indexes that any client would use in a directory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.environment_tools import environment_files, environment_indexes
from broker.ctl.clients.foreign_files import (
    ForeignFile,
    ini_file,
    matching,
    nearest_toml,
    owners_of_project,
    text_file,
    toml_file,
)
from broker.ctl.clients.inline_script import PATTERN as SCRIPTS
from broker.ctl.clients.pip import REQUIREMENTS, pip_files, pip_indexes
from broker.ctl.clients.pipfile import PIPFILE, pipfile_indexes
from broker.ctl.clients.pypirc import pypirc, repository_indexes
from broker.ctl.clients.source_projects import (
    AUTH_FILE,
    PDM_FILE,
    POETRY,
    POETRY_FILE,
    PYPROJECT,
    SETTINGS,
    poetry_file,
    settings_file,
    source_indexes,
)
from broker.ctl.clients.uv import uv_indexes
from broker.ctl.clients.uv_elsewhere import uv_indexes_elsewhere, uv_settings_elsewhere
from broker.ctl.clients.uv_files import files_of_sources, uv_settings
from broker.ctl.clients.uv_use import uv_requirement_indexes
from broker.ctl.setup.user_dirs import UserDirs


def all_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """uv's, pip's, poetry's, PDM's, pipenv's, pixi's and twine's, and what tox and hatch set for uv and pip.

    Each client's strongest comes first.
    """
    yield from uv_indexes(directory, user_dirs)
    yield from uv_indexes_elsewhere(directory, user_dirs)
    yield from uv_requirement_indexes(directory, user_dirs)
    yield from pip_indexes(directory, user_dirs)
    yield from source_indexes(directory, user_dirs)
    yield from pipfile_indexes(directory, user_dirs)
    yield from environment_indexes(directory, user_dirs)
    yield from repository_indexes(user_dirs)


PATTERNS = (*REQUIREMENTS, SCRIPTS)
"""Files of a directory that are read and are no settings."""


TOOLS = ("tox.ini", "setup.cfg", "tox.toml", "hatch.toml", "pixi.toml", POETRY_FILE, PDM_FILE)


@dataclass(frozen=True, slots=True)
class LookedAt:
    """Where the indexes were looked for: the `files` that were read, the `unread` ones, each with the reason,
    and the names that are looked for.
    """

    directory: Path
    files: tuple[Path, ...]
    unread: tuple[tuple[Path, str], ...]
    names: tuple[str, ...] = ("uv.toml", PYPROJECT, *PATTERNS, PIPFILE, *TOOLS, "pip.conf", ".pypirc")


def looked_at(directory: Path, user_dirs: UserDirs) -> LookedAt:
    """The files of `all_indexes`, each read once more: it stops where a client's own rules do."""
    files = list(_files(directory, user_dirs))
    return LookedAt(
        directory,
        tuple(file.path for file in files if file.is_there and file.failure is None),
        tuple((file.path, file.failure) for file in files if file.failure is not None),
    )


def _files(directory: Path, user_dirs: UserDirs) -> Iterator[ForeignFile]:
    """Every file that is read, once, settings that are not there included."""
    owners = owners_of_project(directory)
    files = [
        *(each.file for each in uv_settings(directory, user_dirs)),
        *(each.file for each in files_of_sources(directory, user_dirs)),
        *(each.file for each in uv_settings_elsewhere(directory, user_dirs)),
        nearest_toml(directory, PIPFILE),
        *environment_files(directory),
        *(toml_file(settings_file(user_dirs, client)) for client in SETTINGS),
        toml_file(settings_file(user_dirs, POETRY).with_name(AUTH_FILE)),
        poetry_file(directory),
        nearest_toml(directory, PDM_FILE),
        *(ini_file(path) for path in (*pip_files(user_dirs), pypirc(user_dirs))),
        *(text_file(path, owners) for pattern in PATTERNS for path in matching(directory, pattern)),
    ]
    yield from {each.path: each for each in files}.values()
