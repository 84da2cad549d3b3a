"""All the indexes that any client would use in a directory."""

from collections.abc import Iterator
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import complaint
from broker.ctl.clients.pip import pip_files, pip_indexes
from broker.ctl.clients.pipfile import PIPFILE, pipfile_indexes
from broker.ctl.clients.pypirc import pypirc, repository_indexes
from broker.ctl.clients.source_projects import SETTINGS, settings_file, source_indexes
from broker.ctl.clients.uv import uv_files, uv_indexes
from broker.ctl.clients.uv_elsewhere import uv_indexes_elsewhere
from broker.ctl.setup.user_dirs import UserDirs


def all_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """uv's, pip's, poetry's, PDM's, pipenv's and twine's, each client's strongest first."""
    yield from uv_indexes(directory, user_dirs)
    yield from uv_indexes_elsewhere(directory, user_dirs)
    yield from pip_indexes(directory, user_dirs)
    yield from source_indexes(directory, user_dirs)
    yield from pipfile_indexes(directory)
    yield from repository_indexes(user_dirs)


def passed_over(directory: Path, user_dirs: UserDirs) -> Iterator[tuple[Path, str]]:
    """The files of those clients that are there and cannot be read, each with the reason."""
    of_uv = [path for path, _ in uv_files(directory, user_dirs)]
    toml = dict.fromkeys(
        (*of_uv, directory / PIPFILE, *(settings_file(user_dirs, client) for client in SETTINGS)), True
    )
    ini = dict.fromkeys((*pip_files(user_dirs), pypirc(user_dirs)), False)
    for path, is_toml in {**toml, **ini}.items():
        why = complaint(path, is_toml=is_toml)
        if why is not None:
            yield path, why
