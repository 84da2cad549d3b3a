"""pipenv's indexes: the sources of the project's Pipfile (pipenv's page "Specifying Package Indexes").

pipenv (2026.10.3, run; its `utils/indexes.py` and `utils/internet.py`) takes user name and password out of a
source's URL before its pip sees it, and gives them to pip in a netrc. So pip tries that password first, and
asks the keyring after a 401, for whatever user: another user's name in a Pipfile does no harm.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index, Obstacle, Place
from broker.ctl.clients.foreign_files import nearest_toml, tables
from broker.ctl.clients.keyring_provider import KeyringProvider
from broker.ctl.clients.pip import pip_keyring_provider
from broker.ctl.setup.user_dirs import UserDirs

PIPENV = "pipenv"
PIPFILE = "Pipfile"
PROVIDER = "PIPENV_KEYRING_PROVIDER"
"""Goes before pip's own settings (pipenv's page "Environment and Configuration Variables")."""


def pipfile_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every source of the nearest Pipfile, in its order."""
    file = nearest_toml(directory, PIPFILE)
    provider = pipenv_keyring_provider(user_dirs)
    is_on = provider is not None and provider.is_on
    for number, source in tables(file.content, "source"):
        url = source.get("url")
        if isinstance(url, str):
            index = Index.at(PIPENV, file.place("url", url, "source", number), url, name=source.get("name"))
            yield replace(index, obstacles=pipenv_obstacles(index, is_on=is_on))


def pipenv_obstacles(index: Index, *, is_on: bool) -> tuple[Obstacle, ...]:
    """Why pipenv does not ask the keyring for a source; `is_on`: its keyring provider is `subprocess`."""
    off = () if is_on else (Obstacle.PROVIDER_OFF,)
    return (Obstacle.TRIED_FIRST if is_on else Obstacle.PASSWORD, *off) if index.has_password else off


def pipenv_keyring_provider(user_dirs: UserDirs) -> KeyringProvider | None:
    """The keyring provider that pipenv's pip uses; None where none is named."""
    named = user_dirs.environ.get(PROVIDER)
    return KeyringProvider(named, Place(PROVIDER)) if named else pip_keyring_provider(user_dirs)
