"""pipenv's indexes: the sources of the project's Pipfile (pipenv's page "Specifying Package Indexes")."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index, Obstacle
from broker.ctl.clients.foreign_files import nearest_toml, tables

PIPENV = "pipenv"
PIPFILE = "Pipfile"


def pipfile_indexes(directory: Path) -> Iterator[Index]:
    """Every source of the nearest Pipfile, in its order."""
    file = nearest_toml(directory, PIPFILE)
    for number, source in tables(file.content, "source"):
        url = source.get("url")
        if isinstance(url, str):
            index = Index.at(PIPENV, file.place("url", url, "source", number), url, name=source.get("name"))
            yield replace(index, obstacles=(Obstacle.PASSWORD,) if index.has_password else ())
