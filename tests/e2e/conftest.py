from __future__ import annotations

import ensurepip
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import Household, household
from tests.e2e.toolbox import Toolbox
from tests.e2e.town import Town
from tests.e2e.town import town as new_town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.brokerd import Brokerd


@pytest.fixture
def house() -> Iterator[Household]:
    """A household of the test's own, nobody serving in it yet."""
    with household() as made:
        yield made


@pytest.fixture(scope="module")
def broker() -> Iterator[Brokerd]:
    """A daemon with a plain feed, for a module's tests to share."""
    with household() as house:
        house.configure(house.plain_feed())
        with house.forked_brokerd() as running:
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
    version = ensurepip.version()
    if tuple(int(number) for number in version.split(".")[:2]) >= (26, 2):
        pytest.skip("this Python bundles no pip from before 26.2")
    folder: Path = tmp_path_factory.mktemp("old-pip")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, capture_output=True)
    kept = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).with_name("_bundled")
    [packages] = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(Path(kept) / f"pip-{version}-py3-none-any.whl") as wheel:
        wheel.extractall(packages)  # ensurepip would take seconds for the same
    return folder / "bin" / "python"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module's tests run where its daemon, feeds and clients are."""
    here = Path(__file__).parent
    files = {path for path in {item.path for item in items} if path.parent == here}
    for item in items:
        if item.path in files and "module" in _scopes(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def _scopes(item: pytest.Item) -> set[str]:
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 -- no public way tells a test's fixtures
    return {str(definition.scope) for found in fixtures.values() for definition in found}
