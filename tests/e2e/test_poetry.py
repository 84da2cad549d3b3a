"""The real poetry locks, syncs and publishes through the backend of the keyring library, and asks as it was
measured to: by names that are no feed's first, then by URL. Next: `test_pdm.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED, AZURE_UPLOAD
from tests.e2e.workbench import Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.toolbox import Toolbox
    from tests.e2e.town import Town

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("poetry")]

CHECK = ("python-poetry-check", "miss")
BY_NAME = ("poetry-repository-corp", "miss")
BY_URL = (AZURE_FEED, "yes")


@pytest.fixture
def poetry(town: Town, toolbox: Toolbox, tmp_path: Path) -> Workbench:
    return Workbench(
        town,
        tmp_path,
        toolbox.program("poetry", library=True),
        POETRY_NO_INTERACTION="1",
        POETRY_VIRTUALENVS_IN_PROJECT="true",
        POETRY_CACHE_DIR=str(tmp_path / "cache"),
        POETRY_CONFIG_DIR=str(tmp_path / "configuration"),
    )


def source(url: str) -> str:
    return (
        "[tool.poetry]\npackage-mode = false\n\n"
        f'[[tool.poetry.source]]\nname = "corp"\nurl = "{url}"\npriority = "primary"\n'
    )


def test_poetry_locks_and_syncs_from_a_source_without_username(poetry: Workbench) -> None:
    poetry.project(source(AZURE_FEED))

    locking = poetry.work("lock")
    syncing = poetry.work("sync")

    assert locking == [CHECK, BY_NAME, BY_URL]
    # by as many threads as it likes, and again with and without the last slash
    assert syncing[:2] == [CHECK, BY_NAME]
    assert set(syncing) == {CHECK, BY_NAME, BY_URL}
    assert {"demo_package.py", "demo_dependency.py"} <= poetry.installed()


@pytest.mark.parametrize("username", [(), ("--username", "dev")], ids=["no username", "username"])
def test_poetry_publishes_with_the_right_to_write(
    town: Town, poetry: Workbench, username: tuple[str, ...]
) -> None:
    poetry.project("")
    built = poetry.build("household")  # the project's own name: it publishes nothing else
    feed = town.house.acme.feed("corp")
    feed.wheels = [one for one in feed.wheels if one.filename != built.filename]

    asked = poetry.work(
        "publish", "--repository", "corp", *username, POETRY_REPOSITORIES_CORP_URL=AZURE_UPLOAD
    )

    # as a token's name first, then as a user's
    assert asked == [CHECK, BY_NAME, BY_NAME, (AZURE_UPLOAD, "yes")]
    assert built in feed.wheels


def test_poetry_asks_nobody_for_a_source_with_a_username(town: Town, poetry: Workbench) -> None:
    poetry.project(source(AZURE_FEED.replace("//", "//dev@", 1)))
    before = town.count()

    done = poetry.run("lock")

    assert done.exit_code != 0
    assert "Authorization error" in done.text
    assert town.asked_since(before) == [CHECK]
