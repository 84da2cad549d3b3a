"""All the indexes that any client would use in a directory."""

from collections.abc import Iterator
from pathlib import Path

from broker.ctl.indexes.index import Index
from broker.ctl.indexes.pip import pip_indexes
from broker.ctl.indexes.projects import source_indexes
from broker.ctl.indexes.pypirc import repository_indexes
from broker.ctl.indexes.uv import uv_indexes
from broker.ctl.setup.places import Places


def all_indexes(directory: Path, places: Places) -> Iterator[Index]:
    """uv's, pip's, poetry's, PDM's and twine's, each client's strongest first."""
    yield from uv_indexes(directory, places)
    yield from pip_indexes(directory, places)
    yield from source_indexes(directory, places)
    yield from repository_indexes(places)
