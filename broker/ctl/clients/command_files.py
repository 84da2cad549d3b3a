"""Where a command's words lead its client: the folder that it works in, the scripts and projects there.

uv reads the indexes of a project that it installs or compiles for that project's own packages, wherever it is
called (`[tool.uv.sources]`; uv 0.13.9, run).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.command_line import CommandOptions
from broker.ctl.clients.foreign_files import toml_file
from broker.ctl.clients.inline_script import script_indexes
from broker.ctl.clients.uv import indexes_of_file
from broker.ctl.clients.uv_files import CONFIG_FILE, FOLDERS, IN_PYPROJECT, PYPROJECT
from broker.ctl.setup.user_dirs import UserDirs


def folder_of(options: CommandOptions, current: Path) -> Path:
    """The folder that the command's client works in."""
    return current if options.folder is None else current / options.folder


def dirs_of(options: CommandOptions, current: Path, user_dirs: UserDirs) -> UserDirs:
    """The user's folders with what the command's options say in the place of uv's variables."""
    told: dict[str, str] = {}
    if options.config_file is not None:
        told[CONFIG_FILE] = str(folder_of(options, current) / options.config_file)
    if options.folder is not None:  # an option goes before its variable
        told |= dict.fromkeys(FOLDERS, "")
    return replace(user_dirs, environ={**user_dirs.environ, **told}) if told else user_dirs


def indexes_of_named_files(
    options: CommandOptions, directory: Path, environ: Mapping[str, str]
) -> Iterator[Index]:
    """Those of the scripts and the projects that the words name, without obstacles."""
    for script in options.scripts:
        yield from script_indexes(directory / script, environ)
    for project in options.projects:
        path = directory / project
        file = toml_file(path if path.name == PYPROJECT else path / PYPROJECT)
        yield from indexes_of_file(file, IN_PYPROJECT, environ)
