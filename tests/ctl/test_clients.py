from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.client_index import Index, Place
from broker.ctl.clients.uv import indexes_to_name_a_user_for, uv_indexes
from broker.ctl.setup.user_dirs import UserDirs

if TYPE_CHECKING:
    from pathlib import Path

CORP = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"


def found(directory: Path, **environ: str) -> dict[str, str]:
    """Variable and URL of each index found from `directory` by a user without configuration."""
    indexes = uv_indexes(directory, UserDirs(directory / "nobody", environ))
    return {index.variable: index.url for index in indexes_to_name_a_user_for(indexes, environ)}


def pyproject(directory: Path, **urls: str) -> None:
    tables = [f'[[tool.uv.index]]\nname = "{name}"\nurl = "{url}"\n' for name, url in urls.items()]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text("\n".join(tables))


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("corp", "UV_INDEX_CORP_USERNAME"),
        ("my-corp.v2", "UV_INDEX_MY_CORP_V2_USERNAME"),
        ("a__B1", "UV_INDEX_A__B1_USERNAME"),
    ],
)
def test_variable_is_spelt_as_uv_spells_it(name: str, variable: str) -> None:
    assert Index("uv", Place("UV_INDEX"), CORP, name).variable == variable


def test_index_of_the_project_is_found_from_below(tmp_path: Path) -> None:
    pyproject(tmp_path, corp=CORP)
    below = tmp_path / "src" / "package"
    below.mkdir(parents=True)

    assert found(below) == {"UV_INDEX_CORP_USERNAME": CORP}


def test_a_line_break_that_no_editor_shows_moves_no_place(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text(f'# a\u2028b\x85c\n\n[[index]]\nname = "corp"\nurl = "{CORP}"\n')

    (index,) = uv_indexes(tmp_path, UserDirs(tmp_path / "nobody", {}))

    assert index.place.line == 5


def test_index_of_the_workspace_root_is_found_from_a_member(tmp_path: Path) -> None:
    pyproject(tmp_path, corp=CORP)
    pyproject(tmp_path / "member", own="https://own.example.com/")
    for folder, table in (
        (tmp_path, '[tool.uv.workspace]\nmembers = ["*"]\n'),
        (tmp_path / "member", '[project]\nname = "own"\n'),
    ):
        with (folder / "pyproject.toml").open("a") as file:
            file.write(f"\n{table}")

    assert set(found(tmp_path / "member")) == {"UV_INDEX_OWN_USERNAME", "UV_INDEX_CORP_USERNAME"}


def test_nearest_of_one_name_counts(tmp_path: Path) -> None:
    pyproject(tmp_path, corp="https://far.example.com/")
    pyproject(tmp_path / "near", corp=CORP)

    assert found(tmp_path / "near") == {"UV_INDEX_CORP_USERNAME": CORP}


def test_uv_toml_goes_before_the_project_file_beside_it(tmp_path: Path) -> None:
    pyproject(tmp_path, corp="https://project.example.com/")
    (tmp_path / "uv.toml").write_text(f'[[index]]\nname = "corp"\nurl = "{CORP}"\n')

    assert found(tmp_path) == {"UV_INDEX_CORP_USERNAME": CORP}


def test_users_own_uv_toml_is_read(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(f'[[index]]\nname = "corp"\nurl = "{CORP}"\n')

    assert found(tmp_path / "elsewhere", XDG_CONFIG_HOME=str(tmp_path)) == {"UV_INDEX_CORP_USERNAME": CORP}


@pytest.mark.parametrize("variable", ["UV_INDEX", "UV_DEFAULT_INDEX"])
def test_named_index_of_a_variable_is_found(tmp_path: Path, variable: str) -> None:
    assert found(tmp_path, **{variable: f"corp={CORP}"}) == {"UV_INDEX_CORP_USERNAME": CORP}


def test_variable_holds_several_indexes(tmp_path: Path) -> None:
    value = f"corp={CORP} https://unnamed.example.com/?a=b  other=https://other.example.com/"

    assert set(found(tmp_path, UV_INDEX=value)) == {"UV_INDEX_CORP_USERNAME", "UV_INDEX_OTHER_USERNAME"}


@pytest.mark.parametrize(
    "url",
    ["https://me@example.com/", "https://me:secret@example.com/", "./local", "file:///x", "", "https://[x/"],
)
def test_index_that_needs_no_user_name_is_left_alone(tmp_path: Path, url: str) -> None:
    pyproject(tmp_path, corp=url)

    assert found(tmp_path) == {}


@pytest.mark.parametrize("variable", ["UV_INDEX_CORP_USERNAME", "UV_INDEX_CORP_PASSWORD"])
def test_what_the_user_has_set_stays(tmp_path: Path, variable: str) -> None:
    pyproject(tmp_path, corp=CORP)

    assert found(tmp_path, **{variable: ""}) == {}


def test_index_that_never_authenticates_is_left_alone(tmp_path: Path) -> None:
    text = f'[[tool.uv.index]]\nname = "corp"\nurl = "{CORP}"\nauthenticate = "never"\n'
    (tmp_path / "pyproject.toml").write_text(text)

    assert found(tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tool",
        "tool = 1",
        "[tool]\nuv = 1",
        "[tool.uv]\nindex = 1",
        "[[tool.uv.index]]\nname = 1",
        "\udcff",
    ],
)
def test_file_that_says_something_else_is_uvs_to_complain_about(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text, errors="surrogateescape")

    assert found(tmp_path) == {}
