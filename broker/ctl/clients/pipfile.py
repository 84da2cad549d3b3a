"""pipenv's indexes: the sources of the project's Pipfile (pipenv's page "Specifying Package Indexes")."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from broker.ctl.clients.client_index import Index, Obstacle
from broker.ctl.clients.foreign_files import tables, toml_file

PIPENV = "pipenv"
PIPFILE = "Pipfile"


def pipfile_indexes(directory: Path) -> Iterator[Index]:
    """Every source of the nearest Pipfile, in its order."""
    folder = next((each for each in (directory, *directory.parents) if (each / PIPFILE).is_file()), directory)
    file = toml_file(folder / PIPFILE)
    for number, source in tables(file.content, "source"):
        url = source.get("url")
        if isinstance(url, str):
            index = Index.at(PIPENV, file.place("url", url, "source", number), url, name=source.get("name"))
            yield replace(index, obstacles=(Obstacle.PASSWORD,) if index.has_password else ())
