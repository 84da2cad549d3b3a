from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients import settings_text
from broker.ctl.clients.all_indexes import all_indexes, looked_at
from broker.ctl.clients.foreign_files import toml_file
from broker.ctl.setup.user_dirs import UserDirs

if TYPE_CHECKING:
    from pathlib import Path

INDEX = '[[tool.uv.index]]\nurl = "https://packages.example/simple/"\n'


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed as TOML."""
    texts: list[str] = []
    parse = tomllib.loads

    def loads(text: str) -> dict[str, object]:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(tomllib, "loads", loads)
    settings_text.toml_text.cache_clear()
    return texts


def test_a_run_parses_a_projects_file_once(tmp_path: Path, parsed: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text(INDEX)
    user_dirs = UserDirs(tmp_path / "home", {})

    found = [*all_indexes(tmp_path, user_dirs)]
    looked = looked_at(tmp_path, user_dirs)

    assert [index.url for index in found] == ["https://packages.example/simple/"]
    assert tmp_path / "pyproject.toml" in looked.files
    assert parsed.count(INDEX) == 1


def test_what_was_written_meanwhile_is_read(tmp_path: Path, parsed: list[str]) -> None:
    path = tmp_path / "uv.toml"
    for text in ("a = 1\n", "a = 2\n", "a = ["):
        path.write_text(text)
        toml_file(path)

    assert toml_file(path).failure == "it is not TOML to its end"
    assert parsed == ["a = 1\n", "a = 2\n", "a = ["]
