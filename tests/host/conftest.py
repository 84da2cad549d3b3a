import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for sockets, and which other users may look into."""
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        place = Path(folder).resolve()
        place.chmod(0o755)
        yield place
