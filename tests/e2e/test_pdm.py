"""The real pdm locks, syncs and publishes, by the `keyring` command where its environment lacks the library
and by the backend where it has it. Next: `test_hatch.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, AZURE_UPLOAD
from tests.e2e.transcript import Transcript
from tests.e2e.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.toolbox import Toolbox
    from tests.e2e.town import Town

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("pdm")]

NAMED = AZURE_FEED.replace("//", "//dev@", 1)
BY_URL = (AZURE_FEED, "yes")
BY_NAME = ("pdm-repository-__unknown__", "miss")


@pytest.fixture(scope="module")
def transcript(town: Town) -> Transcript:
    return Transcript(town.house)


@pytest.fixture(params=[True, False], ids=["library", "command"])
def library(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def pdm(town: Town, transcript: Transcript, toolbox: Toolbox, tmp_path: Path, *, library: bool) -> Workbench:
    transcript.take()
    program = toolbox.program("pdm", library=library)
    return Workbench(town, tmp_path, program, PDM_CHECK_UPDATE="0", PDM_CACHE_DIR=str(tmp_path / "cache"))


def source(url: str) -> str:
    # by this name it takes the place of the public index
    return f'[tool.pdm]\ndistribution = false\n\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n'


@pytest.mark.parametrize(
    ("url", "username"), [(AZURE_FEED, ""), (NAMED, "dev")], ids=["no username", "username"]
)
def test_pdm_locks_and_syncs(
    pdm: Workbench, transcript: Transcript, url: str, username: str, *, library: bool
) -> None:
    pdm.project(source(url))

    locking = pdm.work("lock")
    syncing = pdm.work("sync")

    assert locking in ([BY_URL], [BY_URL] * 2)  # it fetches side by side, and may ask before it has an answer
    assert set(syncing) == {BY_URL}
    assert {"demo_package.py", "demo_dependency.py"} <= pdm.installed()
    said = transcript.take()
    assert said == ([] if library else [["--mode=creds", "get", url, username]] * len([*locking, *syncing]))


@pytest.mark.parametrize("username", ["", "dev"], ids=["no username", "username"])
def test_pdm_publishes_with_the_right_to_write(
    town: Town, pdm: Workbench, transcript: Transcript, username: str, *, library: bool
) -> None:
    pdm.project("")
    built = pdm.build(f"household-{library}-{username}x")
    named = ("--username", username) if username else ()

    asked = pdm.work("publish", "--no-build", "--repository", AZURE_UPLOAD, *named)

    assert asked == [BY_NAME, BY_NAME, (AZURE_UPLOAD, "yes")]
    assert built in town.house.acme.feed("corp").wheels
    said = [
        ["--mode=creds", "get", BY_NAME[0], username],
        ["--mode=password", "get", BY_NAME[0], username or "__token__"],
        ["--mode=creds", "get", AZURE_UPLOAD, username],
    ]
    assert transcript.take() == ([] if library else said)
