"""Where each client keeps its indexes: one file or variable of each kind, and the index found there."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import BadRequest
from broker.ctl.clients.all_indexes import all_indexes
from broker.ctl.clients.client_index import Index, Obstacle, Place
from broker.ctl.clients.pip import pip_files, pip_obstacles, pip_version
from broker.ctl.clients.source_projects import poetry_obstacles
from broker.ctl.clients.uv import uv_obstacles
from broker.ctl.setup.user_dirs import UserDirs
from tests.ctl.homes import write

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://packages.example.com/simple/"

FILES = {
    "uv.toml of the project": ("project/uv.toml", f'[[index]]\nurl = "{URL}"', "uv"),
    "uv.toml above the project": ("uv.toml", f'[[index]]\nurl = "{URL}"', "uv"),
    "pyproject.toml": ("project/pyproject.toml", f'[[tool.uv.index]]\nurl = "{URL}"', "uv"),
    "a byte order mark": ("project/pyproject.toml", f'\ufeff[[tool.uv.index]]\nurl = "{URL}"', "uv"),
    "uv's own settings": ("home/.config/uv/uv.toml", f'[[index]]\nurl = "{URL}"', "uv"),
    "the system's uv.toml": ("site/uv/uv.toml", f'[[index]]\nurl = "{URL}"', "uv"),
    "uv's older spelling": ("project/uv.toml", f'index-url = "{URL}"', "uv"),
    "uv's older list": ("project/uv.toml", f'extra-index-url = ["{URL}"]', "uv"),
    "uv pip's spelling": ("project/pyproject.toml", f'[tool.uv.pip]\nindex-url = "{URL}"', "uv"),
    "uv's upload address": ("project/uv.toml", f'publish-url = "{URL}"', "uv"),
    "pip.conf": ("home/.config/pip/pip.conf", f"[global]\nindex-url = {URL}", "pip"),
    "pip.conf of old": ("home/.pip/pip.conf", f"[install]\nextra_index_url =\n  {URL}", "pip"),
    "an option as on the command line": (
        "home/.config/pip/pip.conf",
        f"[global] # ours\n--index-url = {URL}",
        "pip",
    ),
    "the system's pip.conf": ("site/pip/pip.conf", f"[global]\nindex-url = {URL}", "pip"),
    "pip.conf of the environment": ("venv/pip.conf", f"[global]\nindex-url = {URL}", "pip"),
    "requirements": ("project/requirements.txt", f"# ours\n--index-url {URL}\ndemo==1\n", "pip"),
    "more requirements": ("project/requirements-dev.txt", f"demo\n--extra-index-url={URL}", "pip"),
    "short requirements": ("project/requirements.txt", f"-i {URL} # ours", "pip"),
    "a source of poetry's": ("project/pyproject.toml", f'[[tool.poetry.source]]\nurl = "{URL}"', "poetry"),
    "a repository of poetry's": (
        "home/.config/pypoetry/config.toml",
        f'[repositories.corp]\nurl = "{URL}"',
        "poetry",
    ),
    "a source of PDM's": ("project/pyproject.toml", f'[[tool.pdm.source]]\nurl = "{URL}"', "pdm"),
    "PDM's own settings": ("home/.config/pdm/config.toml", f'[pypi]\nurl = "{URL}"', "pdm"),
    "a source of PDM's settings": ("home/.config/pdm/config.toml", f'[pypi.corp]\nurl = "{URL}"', "pdm"),
    "a repository of PDM's": ("home/.config/pdm/config.toml", f'[repository.corp]\nurl = "{URL}"', "pdm"),
    ".pypirc": ("home/.pypirc", f"[corp]\nrepository: {URL}", "twine"),
}

VARIABLES = {
    "UV_INDEX": "uv",
    "UV_DEFAULT_INDEX": "uv",
    "UV_INDEX_URL": "uv",
    "UV_EXTRA_INDEX_URL": "uv",
    "UV_PUBLISH_URL": "uv",
    "PIP_INDEX_URL": "pip",
    "PIP_EXTRA_INDEX_URL": "pip",
    "TWINE_REPOSITORY_URL": "twine",
    "PDM_PYPI_URL": "pdm",
}


def found(folder: Path, **environ: str) -> list[Index]:
    """What is found by a user whose home, project and system settings are below `folder`."""
    environ = {"XDG_CONFIG_DIRS": str(folder / "site"), "VIRTUAL_ENV": str(folder / "venv"), **environ}
    (folder / "project").mkdir(exist_ok=True)
    return list(all_indexes(folder / "project", UserDirs(folder / "home", environ)))


@pytest.mark.skipif(sys.platform == "darwin", reason="poetry and PDM keep their settings in Library there")
@pytest.mark.parametrize(("place", "text", "client"), FILES.values(), ids=FILES)
def test_index_of_each_file_is_found(tmp_path: Path, place: str, text: str, client: str) -> None:
    write(tmp_path / place, text)

    [index] = found(tmp_path)

    assert (index.client, index.place.source, index.url) == (client, tmp_path / place, URL)


@pytest.mark.parametrize(("variable", "client"), VARIABLES.items())
def test_index_of_each_variable_is_found(tmp_path: Path, variable: str, client: str) -> None:
    [index] = found(tmp_path, **{variable: URL})

    assert (index.client, index.place.source, index.url) == (client, variable, URL)


def test_file_that_uv_is_told_of_stands_in_for_the_users(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", 'index-url = "https://other.example.com/"')
    write(tmp_path / "chosen.toml", f'index-url = "{URL}"')

    assert [each.url for each in found(tmp_path, UV_CONFIG_FILE=str(tmp_path / "chosen.toml"))] == [URL]


def test_file_that_pip_is_told_of_stands_in_for_the_users(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/pip/pip.conf", "[global]\nindex-url = https://other.example.com/")
    write(tmp_path / "chosen.conf", f"[global]\nindex-url = {URL}")

    assert [each.url for each in found(tmp_path, PIP_CONFIG_FILE=str(tmp_path / "chosen.conf"))] == [URL]


def test_pip_that_is_told_of_no_file_reads_none(tmp_path: Path) -> None:
    assert pip_files(UserDirs(tmp_path, {"PIP_CONFIG_FILE": os.devnull})) == []


def test_user_name_of_an_index_may_be_a_variables(tmp_path: Path) -> None:
    write(tmp_path / "project/uv.toml", f'[[index]]\nname = "corp"\nurl = "{URL}"')

    [index] = found(tmp_path, UV_INDEX_CORP_USERNAME="ci", UV_INDEX_CORP_PASSWORD="s3cret")

    assert (index.username, index.has_password) == ("ci", True)
    assert "s3cret" not in repr(index)


@pytest.mark.parametrize(
    ("url", "username", "has_password"),
    [
        ("https://ci%40x:s3cret@packages.example.com/simple/", "ci@x", True),
        ("https://ci@packages.example.com/simple/", "ci", False),
        ("https://${USER}:${PASSWORD}@packages.example.com/simple/", "${USER}", True),
        (URL, None, False),
    ],
)
def test_address_is_told_apart_from_its_login(url: str, username: str | None, *, has_password: bool) -> None:
    index = Index.at("uv", Place("UV_INDEX"), url)

    assert (str(index.address), index.username, index.has_password) == (URL, username, has_password)


@pytest.mark.parametrize(
    "url",
    [
        "https://ci:s3/cret@packages.example.com/simple/",
        "https://ci:8/s3cret@packages.example.com/simple/",
        "https://token/s3cret@packages.example.com/",
        "https://a.b/s3cret@packages.example.com/",
    ],
)
def test_address_whose_login_has_no_clear_end_is_none(url: str) -> None:
    with pytest.raises(BadRequest) as raised:
        _ = Index.at("uv", Place("UV_INDEX"), url).address

    assert "cret" not in str(raised.value)


def test_view_of_an_azure_feed_is_no_login() -> None:
    url = "https://pkgs.dev.azure.com/acme/_packaging/corp@Release/pypi/simple/"

    assert str(Index.at("uv", Place("UV_INDEX"), url).address) == url


OFF = (Obstacle.PROVIDER_OFF,)
PLACE = Place("UV_INDEX")


@pytest.mark.parametrize(
    ("index", "obstacles"),
    [
        (Index.at("uv", PLACE, URL), (Obstacle.NO_USERNAME,)),
        (Index.at("uv", PLACE, URL, username="ci"), ()),
        (Index.at("uv", PLACE, URL, authenticate="always"), (Obstacle.PAGES_ONLY,)),
        (Index.at("uv", PLACE, URL, authenticate="never"), (Obstacle.NEVER,)),
        (Index.at("uv", PLACE, URL, authenticate="auto"), (Obstacle.NO_USERNAME,)),
        (Index.at("uv", PLACE, URL, password_at=PLACE), (Obstacle.LONE_PASSWORD,)),
        (Index.at("uv", PLACE, URL, username="ci", password_at=PLACE), (Obstacle.PASSWORD,)),
        (Index.at("uv", PLACE, URL.replace("://", "://:s3cret@")), (Obstacle.PASSWORD,)),
    ],
)
def test_obstacles_between_uv_and_the_keyring_are_known(
    index: Index, obstacles: tuple[Obstacle, ...]
) -> None:
    assert uv_obstacles(index, is_on=True) == obstacles
    assert uv_obstacles(index, is_on=False) == obstacles + OFF


@pytest.mark.parametrize(
    ("username", "version", "obstacles"),
    [
        (None, (26, 1), (Obstacle.OLD_PIP,)),
        (None, (26, 2), ()),
        (None, None, ()),
        ("ci", (25, 3), ()),
    ],
)
def test_pip_before_26_2_needs_a_user_name(
    username: str | None, version: tuple[int, int] | None, obstacles: tuple[Obstacle, ...]
) -> None:
    index = Index.at("pip", Place("PIP_INDEX_URL"), URL, username=username)

    assert pip_obstacles(index, version, is_on=True) == obstacles


def test_version_of_pip_is_that_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "lib/python3.11/site-packages/pip-26.1.2.dist-info").mkdir(parents=True)

    assert pip_version(UserDirs(tmp_path, {"VIRTUAL_ENV": str(tmp_path)})) == (26, 1)


@pytest.mark.parametrize(
    ("login", "is_on", "obstacles"),
    [
        ("", True, ()),
        ("", False, OFF),
        ("ci@", True, (Obstacle.USERNAME,)),
        ("ci:s3cret@", True, (Obstacle.PASSWORD,)),
    ],
)
def test_poetry_asks_the_keyring_without_a_user_name(
    login: str, obstacles: tuple[Obstacle, ...], *, is_on: bool
) -> None:
    index = Index.at("poetry", Place("x"), URL.replace("://", f"://{login}"))

    assert poetry_obstacles(index, is_on=is_on) == obstacles


def test_index_asked_for_its_pages_alone_is_asked() -> None:
    asked = replace(Index.at("uv", PLACE, URL), obstacles=(Obstacle.PAGES_ONLY,))

    assert asked.asks_keyring
    assert not replace(asked, obstacles=(Obstacle.NO_USERNAME,)).asks_keyring


LINES = {
    "the second of two tables": (
        "project/pyproject.toml",
        f'[[tool.uv.index]]\nurl = "https://a.example/"\n\n[[tool.uv.index]]\nname = "b"\nurl = "{URL}"\n',
        6,
    ),
    "one of two clients": (
        "project/pyproject.toml",
        f'[[tool.poetry.source]]\nname = "a"\nurl = "{URL}"\n[[tool.uv.index]]\nurl = "{URL}"\n',
        5,
    ),
    "an inline table": ("project/uv.toml", f'# {URL}\nindex = [\n  {{ url = "{URL}" }},\n]\n', 3),
    "a list": ("project/uv.toml", f'extra-index-url = [\n  "https://a.example/",\n  "{URL}",\n]\n', 3),
    "pip's list": ("home/.config/pip/pip.conf", f"[global]\nextra_index_url =\n  {URL}\n", 3),
    "requirements": ("project/requirements.txt", f"demo\n\n--index-url \\\n  {URL}\n", 3),
}


@pytest.mark.parametrize(("place", "text", "line"), LINES.values(), ids=LINES)
def test_line_of_an_index_is_known(tmp_path: Path, place: str, text: str, line: int) -> None:
    write(tmp_path / place, text)

    assert [each.place.line for each in found(tmp_path) if each.url == URL][:1] == [line]
