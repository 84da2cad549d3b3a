"""Passwords that poetry and PDM keep in their settings: found where these wrote them, gone by the line."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.clients.client_index import Index
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why.repairs import without_password
from tests.e2e.household import AZURE_FEED
from tests.fakes.clients import clean_environment, outcome_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.toolbox import Toolbox

pytestmark = [pytest.mark.e2e, pytest.mark.long]

PAT = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
SOURCE = f'[[tool.poetry.source]]\nname = "corp"\nurl = "{AZURE_FEED}"\n'
WRITTEN_BY = {
    "poetry": ("auth.toml", [f"poetry config http-basic.corp me {PAT}"]),
    "pdm": (
        "config.toml",
        [
            f"pdm config pypi.corp.url {AZURE_FEED}",
            "pdm config pypi.corp.username me",
            f"pdm config pypi.corp.password {PAT}",
        ],
    ),
}


@pytest.mark.parametrize("client", WRITTEN_BY)
def test_a_password_that_the_client_wrote_is_found_and_gone_by_the_line(
    toolbox: Toolbox, tmp_path: Path, client: str
) -> None:
    file, lines = WRITTEN_BY[client]
    program = toolbox.program(client, library=False)
    environment = clean_environment(tmp_path) | {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "PDM_CHECK_UPDATE": "0",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "POETRY_KEYRING_ENABLED": "false",
    }
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "1"\n{SOURCE}')

    def type_in(line: str) -> None:
        done = outcome_of(shlex.split(line), tmp_path, environment)
        assert done.exit_code == 0, done.text

    user_dirs = UserDirs(tmp_path, environment)

    def kept() -> list[Index]:
        return [index for index in all_indexes(tmp_path, user_dirs) if index.password_at is not None]

    for line in lines:
        type_in(line)
    (found,) = kept()
    type_in(without_password(found, None, user_dirs.shown))

    assert found.password_at is not None
    assert str(found.password_at.source).endswith(file)
    assert found.password_at.line is not None
    assert kept() == []
