"""The pictures of the documents are made by `python -m tools.pictures` from real runs."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = {
    "status": ("$ brokerctl status", "feeds usable", "sign-in needed since"),
    "doctor": ("$ brokerctl doctor", "shim is the first keyring on PATH", "brokerctl doctor --fix repairs"),
    "why": ("$ brokerctl why -- uv sync", "corp", "of ~/.netrc"),
    "demo": ("$ brokerctl demo", "tokens fetched", "times faster than the plain keyring command"),
}
"""What each picture shows, of a run that went as it should."""

PLACES = {"status": "docs/index.md", "doctor": "docs/why-and-doctor.md", "why": "docs/why-and-doctor.md"}
MACHINES_OWN = re.compile(r"/tmp/|/root|/work")
LIMIT_S = 600


def words_of(picture: Path) -> str:
    """The text of a picture, line after line."""
    rows: dict[float, str] = {}
    for y, text in re.findall(r'<text [^>]*\by="([\d.]+)"[^>]*>(.*?)</text>', picture.read_text()):
        rows[float(y)] = rows.get(float(y), "") + html.unescape(text).replace("\xa0", " ")
    return "\n".join(rows[y] for y in sorted(rows))


def check(picture: Path, verb: str) -> None:
    words = words_of(picture)
    assert [part for part in SHOWN[verb] if part not in words] == []
    assert MACHINES_OWN.search(words) is None
    assert "prefers-color-scheme: light" in picture.read_text()


@pytest.mark.parametrize("verb", SHOWN)
def test_each_picture_shows_a_run_in_light_and_dark(verb: str) -> None:
    check(ROOT / "docs" / f"{verb}.svg", verb)


def test_the_readmes_one_picture_is_the_demos() -> None:
    assert re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text()) == ["docs/demo.svg"]


@pytest.mark.parametrize(("verb", "page"), PLACES.items())
def test_each_other_picture_stands_on_a_page(verb: str, page: str) -> None:
    assert f"({verb}.svg)" in (ROOT / page).read_text()


@pytest.mark.long
def test_the_command_makes_all_of_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.pictures", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=LIMIT_S)

    for verb in SHOWN:
        check(tmp_path / f"{verb}.svg", verb)
