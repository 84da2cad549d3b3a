from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import Household, household, plain_brokerd
from tests.e2e.toolbox import Toolbox
from tests.e2e.town import Town
from tests.e2e.town import town as new_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.brokerd import Brokerd


@pytest.fixture
def house() -> Iterator[Household]:
    """A household of the test's own, nobody serving in it yet."""
    with household() as made:
        yield made


@pytest.fixture(scope="module")
def broker() -> Iterator[Brokerd]:
    """A daemon with a plain feed, for a module's tests to share."""
    with plain_brokerd() as running:
        yield running


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """A town for a module's tests to share, with a daemon in it."""
    with new_town() as made:
        yield made


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Toolbox:
    """The clients that are too big to be always there; each is installed when first asked for."""
    return Toolbox(tmp_path_factory.mktemp("toolbox"))


@pytest.fixture(scope="session")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose pip is the one that its ensurepip bundles: before 26.2, which spoke another dialect."""
    folder = tmp_path_factory.mktemp("old-pip")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
    python: Path = folder / "bin" / "python"
    told = subprocess.run([python, "-m", "pip", "--version"], check=True, capture_output=True, text=True)
    version = tuple(int(number) for number in told.stdout.split()[1].split(".")[:2])
    if version >= (26, 2):
        pytest.skip("this Python bundles no pip from before 26.2")
    return python
