"""All the indexes that any client would use in a directory."""

from collections.abc import Iterator
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import ini_file, nearest_toml, toml_file
from broker.ctl.clients.pip import pip_files, pip_indexes
from broker.ctl.clients.pipfile import PIPFILE, pipfile_indexes
from broker.ctl.clients.pypirc import pypirc, repository_indexes
from broker.ctl.clients.source_projects import SETTINGS, settings_file, source_indexes
from broker.ctl.clients.uv import uv_indexes, uv_settings
from broker.ctl.clients.uv_elsewhere import uv_indexes_elsewhere, uv_settings_elsewhere
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
    files = [
        *(each.file for each in uv_settings(directory, user_dirs)),
        *(each.file for each in uv_settings_elsewhere(directory, user_dirs)),
        nearest_toml(directory, PIPFILE),
        *(toml_file(settings_file(user_dirs, client)) for client in SETTINGS),
        *(ini_file(path) for path in (*pip_files(user_dirs), pypirc(user_dirs))),
    ]
    for file in {each.path: each for each in files}.values():
        if file.failure is not None:
            yield file.path, file.failure
