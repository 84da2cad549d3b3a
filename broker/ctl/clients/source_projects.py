"""Sources of poetry and PDM: of the project's pyproject.toml, and of each one's settings in the home."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index, Obstacle
from broker.ctl.clients.foreign_files import (
    ForeignFile,
    first_of,
    inner,
    nearest_toml,
    tables,
    toml_file,
)
from broker.ctl.setup.user_dirs import MAC_SETTINGS, UserDirs

POETRY = "poetry"
PDM = "pdm"
PYPROJECT = "pyproject.toml"
SETTINGS = {POETRY: "pypoetry", PDM: "pdm"}
"""Their folders below the user's settings (poetry's and PDM's "Configuration" pages)."""


def source_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every source of the nearest project, then every source and repository of the user's settings."""
    asks = toml_file(settings_file(user_dirs, POETRY)).table("keyring").get("enabled", True) is not False
    for index in _named(directory, user_dirs):
        is_poetry = index.client == POETRY
        obstacles = poetry_obstacles(index, is_on=asks) if is_poetry else pdm_obstacles(index)
        yield replace(index, obstacles=obstacles)


def poetry_obstacles(index: Index, *, is_on: bool) -> tuple[Obstacle, ...]:
    """Why poetry does not ask the keyring for a source; `is_on`: its setting `keyring.enabled` is not false.

    poetry (2.5) sends an empty password beside a user name in the URL; without one it takes the keyring's.
    """
    off = () if is_on else (Obstacle.PROVIDER_OFF,)
    if index.has_password:
        return (Obstacle.PASSWORD, *off)
    return off if index.username is None else (Obstacle.USERNAME, *off)


def pdm_obstacles(index: Index) -> tuple[Obstacle, ...]:
    """Why PDM does not ask the keyring for a source: it needs no setting, and no user name."""
    return (Obstacle.PASSWORD,) if index.has_password else ()


def settings_file(user_dirs: UserDirs, client: str) -> Path:
    """Where poetry or PDM has the user's settings."""
    folder = user_dirs.home / MAC_SETTINGS if sys.platform == "darwin" else user_dirs.settings
    return folder / SETTINGS[client] / "config.toml"


def _named(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    file = nearest_toml(directory, PYPROJECT)
    for client in (POETRY, PDM):
        for number, source in tables(file.table("tool", client), "source"):
            yield from _index(client, file, f"tool.{client}.source", source, number=number)
    file = toml_file(settings_file(user_dirs, POETRY))
    for name, repository in first_of(file.table("repositories").items()):
        yield from _index(POETRY, file, f"repositories.{name}", inner(repository), name=name, publishes=True)
    file = toml_file(settings_file(user_dirs, PDM))
    yield from _index(PDM, file, "pypi", file.table("pypi"))
    for key, publishes in (("pypi", False), ("repository", True)):
        for name, repository in first_of(file.table(key).items()):
            yield from _index(PDM, file, f"{key}.{name}", inner(repository), name=name, publishes=publishes)


def _index(
    client: str,
    file: ForeignFile,
    head: str,
    settings: Mapping[str, object],
    *,
    number: int = 0,
    name: object = "",
    publishes: bool = False,
) -> Iterator[Index]:
    url = settings.get("url")
    if isinstance(url, str):
        name, username = name or settings.get("name"), settings.get("username")
        place = file.place("url", url, head, number)
        yield Index.at(client, place, url, name=name, username=username, publishes=publishes)
