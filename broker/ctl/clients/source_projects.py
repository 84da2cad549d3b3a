"""Sources of poetry and PDM: of the project's pyproject.toml, and of each one's settings in the home."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from broker.ctl.clients.client_index import Index
from broker.ctl.clients.foreign_files import inner, table, tables
from broker.ctl.setup.user_dirs import MAC_SETTINGS, UserDirs

POETRY = "poetry"
PDM = "pdm"
PYPROJECT = "pyproject.toml"
SETTINGS = {POETRY: "pypoetry", PDM: "pdm"}
"""Their folders below the user's settings (poetry's and PDM's "Configuration" pages)."""


def source_indexes(directory: Path, user_dirs: UserDirs) -> Iterator[Index]:
    """Every source of the nearest project, then every source and repository of the user's settings."""
    project = next(
        (each for each in (directory, *directory.parents) if (each / PYPROJECT).is_file()), directory
    )
    for client in (POETRY, PDM):
        path = project / PYPROJECT
        for source in tables(table(path, "tool", client), "source"):
            yield from _index(client, path, source.get("name"), source)
    path = settings_file(user_dirs, POETRY)
    for name, repository in table(path, "repositories").items():
        yield from _index(POETRY, path, name, inner(repository), publishes=True)
    path = settings_file(user_dirs, PDM)
    yield from _index(PDM, path, None, table(path, "pypi"))
    for key, publishes in (("pypi", False), ("repository", True)):
        for name, repository in table(path, key).items():
            yield from _index(PDM, path, name, inner(repository), publishes=publishes)


def settings_file(user_dirs: UserDirs, client: str) -> Path:
    """Where poetry or PDM has the user's settings."""
    folder = user_dirs.home / MAC_SETTINGS if sys.platform == "darwin" else user_dirs.settings
    return folder / SETTINGS[client] / "config.toml"


def _index(
    client: str, path: Path, name: object, settings: Mapping[str, object], *, publishes: bool = False
) -> Iterator[Index]:
    url = settings.get("url")
    if isinstance(url, str):
        yield Index.at(client, path, url, name=name, username=settings.get("username"), publishes=publishes)
