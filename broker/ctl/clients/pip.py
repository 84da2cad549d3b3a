"""pip's indexes: of its variables, of its configuration files, and of a project's requirements files."""

import os
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients import keyring_provider
from broker.ctl.clients.client_index import PIP, Index, Obstacle, Place
from broker.ctl.clients.foreign_files import ini_file, matching, owners_of_project
from broker.ctl.clients.keyring_provider import PIP_SECTIONS, KeyringProvider, pip_option
from broker.ctl.clients.requirements_file import IndexOption, index_options, with_variables
from broker.ctl.clients.settings_text import first_of
from broker.ctl.setup.user_dirs import UserDirs

KEYS = ("index-url", "extra-index-url")
VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
NAME = "pip.conf"
REQUIREMENTS = (
    "requirements*.txt",
    "requirements*.in",
    "constraints*.txt",
    *(f"requirements/*.{end}" for end in ("txt", "in")),
)
"""What projects call the files that `pip install -r` and `uv pip compile` are given."""

ASKS_WITHOUT_USERNAME = (26, 2)
"""The first pip that asks the keyring for a user name, too (`--mode=creds`)."""

_VERSION = re.compile(r"pip-([0-9]+)\.([0-9]+)[^/]*\.dist-info")


def pip_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every index that pip may use in `directory`, the strongest first."""
    provider, version = pip_keyring_provider(user_dirs), pip_version(user_dirs)
    is_on = provider is not None and provider.is_on
    for index in _named(directory, user_dirs):
        yield replace(index, obstacles=pip_obstacles(index, version, is_on=is_on))


def pip_obstacles(index: Index, version: tuple[int, int] | None, *, is_on: bool) -> tuple[Obstacle, ...]:
    """Why pip does not ask the keyring for an index; `is_on`: its keyring provider is `subprocess`.

    A `version` that is not known is taken for a new one.
    """
    off = () if is_on else (Obstacle.PROVIDER_OFF,)
    if index.has_password:
        return (Obstacle.PASSWORD, *off)
    is_old = version is not None and version < ASKS_WITHOUT_USERNAME
    return (Obstacle.OLD_PIP, *off) if is_old and index.username is None else off


def pip_keyring_provider(user_dirs: UserDirs) -> KeyringProvider | None:
    """The keyring provider that `pip install` uses; None where none is named, and pip's is `auto`."""
    variable = keyring_provider.in_variable(PIP, user_dirs.environ)
    if variable is not None:
        return variable
    files = [ini_file(path) for path in pip_files(user_dirs)]
    for section in PIP_SECTIONS:
        for file in files:
            named = keyring_provider.in_pip_section(file.table(section))
            if named is not None:
                return KeyringProvider(named, file.place(keyring_provider.KEY, named, section))
    return None


def pip_version(user_dirs: UserDirs) -> tuple[int, int] | None:
    """The version of the active environment's pip; None without an environment, or where it has no pip."""
    folder = user_dirs.environ.get("VIRTUAL_ENV")
    for path in matching(Path(folder), "lib/python*/site-packages/pip-*.dist-info") if folder else ():
        version = _VERSION.fullmatch(path.name)
        if version is not None:
            return int(version[1]), int(version[2])
    return None


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
    if not chosen or not os.access(chosen, os.F_OK):
        files += [user_dirs.pip_settings, user_dirs.home / ".pip" / NAME]
    if sys.platform == "darwin":
        return [*files, Path("/Library/Application Support/pip") / NAME]
    return [
        *files,
        Path("/etc") / NAME,
        *(folder / "pip" / NAME for folder in reversed(user_dirs.site_settings)),
    ]


def requirement_indexes(
    path: Path, user_dirs: UserDirs, owners: Collection[int] | None = None
) -> Iterator[Index]:
    """The indexes that a requirements file names, and those it leads to; without obstacles.

    `owners`: the uids whose files are taken; None: anyone's, of a file that the user names.
    """
    for option in first_of(index_options(path, user_dirs.environ, owners)):
        yield _of_requirements(option, user_dirs)


def requirements_in(directory: Path) -> list[Path]:
    """The requirements files of a project."""
    return [path for pattern in REQUIREMENTS for path in matching(directory, pattern)]


def _named(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    owners = owners_of_project(directory)
    for path in requirements_in(directory):
        yield from requirement_indexes(path, user_dirs, owners)
    for variable in VARIABLES:
        for url in user_dirs.environ.get(variable, "").split():
            yield Index.at(PIP, Place(variable), url)
    for path in pip_files(user_dirs):
        file = ini_file(path)
        for section, settings in file.content.items():
            for key, value in settings.items():
                option = pip_option(key)
                if option in KEYS:
                    for url in first_of(value.split()):
                        yield Index.at(PIP, file.place(option, url, section), url, option=option)


def _of_requirements(option: IndexOption, user_dirs: UserDirs) -> Index:
    """The index of a requirements file. A user name and a password that are variables stay unread.

    A URL that is one variable as a whole is in that variable, and so is the password in it.
    """
    environ = user_dirs.environ
    whole = re.fullmatch(r"\$\{([A-Z0-9_]+)\}", option.url)
    if whole is not None and environ.get(whole[1]):
        return Index.at(PIP, Place(whole[1]), environ[whole[1]])
    scheme, separator, rest = option.url.rpartition("://")
    authority, slash, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    host, path, scheme = (with_variables(part, environ) for part in (host, path, scheme))
    url = f"{scheme}{separator}{userinfo}{at}{host}{slash}{path}"
    return Index.at(PIP, Place(option.path, option.line), url, option=option.name)
