"""Where `why` looks for the indexes of a command: what its words say of the environment that it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.client_index import Place
from broker.ctl.clients.command_line import options_of
from broker.ctl.setup.user_dirs import UserDirs
from broker.ctl.why.account import ClientAccount
from broker.ctl.why.evidence import Evidence
from broker.ctl.why.recorded_run import RecordedRun

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ctl.clinic import Clinic

INDEX = "https://packages.example/simple/"


def environment(folder: Path) -> Path:
    """An environment with a pip.conf of its own."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "pip.conf").write_text(f"[global]\nindex-url = {INDEX}\n")
    return folder


@pytest.mark.parametrize("words", ["{V}/bin/pip install x", "{V}/bin/python -m pip install x"])
def test_a_pip_reads_the_settings_of_its_environment_though_that_is_not_active(
    clinic: Clinic, words: str
) -> None:
    own = environment(clinic.project / "own")
    active = clinic.environ | {"VIRTUAL_ENV": str(clinic.home / "active")}
    user_dirs = UserDirs(clinic.home, active)

    for spelt in (str(own), "own"):
        options = options_of(words.replace("{V}", spelt).split())
        found = Evidence(options, RecordedRun(1, ClientAccount()), user_dirs, clinic.project).indexes

        assert [each.place.source for each in found] == [own / "pip.conf"]


@pytest.mark.parametrize(
    "words",
    ["uv pip compile sub/pyproject.toml", "uvx --from ./sub tool"],  # astral-sh/uv#15362, #9775
)
def test_indexes_of_a_project_that_the_words_name_are_known(clinic: Clinic, words: str) -> None:
    file = clinic.project / "sub" / "pyproject.toml"
    file.parent.mkdir()
    file.write_text(f'[[tool.uv.index]]\nname = "corp"\nurl = "{INDEX}"\nexplicit = true\n')

    run = RecordedRun(1, ClientAccount())
    found = Evidence(options_of(words.split()), run, UserDirs(clinic.home, clinic.environ), clinic.project)

    assert [(each.url, each.place) for each in found.indexes] == [(INDEX, Place(file, 3))]
