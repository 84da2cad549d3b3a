"""The real pipx installs an application with each of its back-ends, through the `keyring` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.household import AZURE_FEED
from tests.e2e.transcript import Transcript
from tests.e2e.workbench import Workbench
from tests.fakes.clients import UV
from tests.fakes.wheels import wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.toolbox import Toolbox
    from tests.e2e.town import Town
    from tests.fakes.clients import Outcome

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("pipx")]

NAMED = AZURE_FEED.replace("//", "//dev@", 1)
APP = wheel("demo-app", "1.0", commands=("demo-app",))


@pytest.fixture(scope="module")
def transcript(town: Town, toolbox: Toolbox) -> Transcript:
    """What the back-ends say; the feed has the application, and the pip that pipx wants for itself."""
    town.house.acme.feed("corp").wheels += [APP, toolbox.newest("pip")]
    for variable in ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER"):
        del town.house.environment[variable]
    return Transcript(town.house)


@pytest.fixture
def pipx(town: Town, transcript: Transcript, toolbox: Toolbox, tmp_path: Path) -> Workbench:
    transcript.take()
    return Workbench(
        town,
        tmp_path,
        toolbox.program("pipx", library=False),
        PATH=f"{town.house.environment['PATH']}:{UV.parent}",
        PIPX_HOME=str(tmp_path / "home"),
        PIPX_BIN_DIR=str(tmp_path / "bin"),
        PIPX_MAN_DIR=str(tmp_path / "man"),
    )


def install(pipx: Workbench, backend: str, url: str, **more: str) -> Outcome:
    return pipx.run("install", "--backend", backend, "--index-url", url, APP.name, **more)


def test_uv_back_end_installs_where_uv_is_told_to_ask(pipx: Workbench, transcript: Transcript) -> None:
    done = install(pipx, "uv", NAMED, UV_KEYRING_PROVIDER="subprocess")

    assert done.exit_code == 0, done.text
    assert (pipx.folder / "bin" / "demo-app").exists()
    assert transcript.take() == [["get", AZURE_FEED, "dev"]]


def test_pip_back_end_installs_where_the_index_has_a_username(
    pipx: Workbench, transcript: Transcript
) -> None:
    done = install(pipx, "pip", NAMED)

    assert done.exit_code == 0, done.text
    assert (pipx.folder / "bin" / "demo-app").exists()
    # the pip that Python brings along fetches a new one, which fetches the application
    assert transcript.take() == [
        ["get", AZURE_FEED, "dev"],
        ["--mode=creds", "--output=json", "get", AZURE_FEED, "dev"],
    ]


@pytest.mark.parametrize(("backend", "url"), [("uv", NAMED), ("pip", AZURE_FEED)])
def test_back_end_that_is_not_told_to_ask_does_not(
    pipx: Workbench, transcript: Transcript, backend: str, url: str
) -> None:
    done = install(pipx, backend, url)

    assert done.exit_code != 0
    assert transcript.take() == []
