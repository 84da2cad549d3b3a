"""A file is replaced whole, or not at all."""

import stat
from pathlib import Path

import pytest

from broker.host.file_writing import replace_file


def test_file_has_the_content_and_the_mode_and_nothing_else_is_left(place: Path) -> None:
    (place / "file").write_text("old")

    replace_file(place / "file", b"new", 0o640)

    assert (place / "file").read_bytes() == b"new"
    assert stat.S_IMODE((place / "file").stat().st_mode) == 0o640
    assert [each.name for each in place.iterdir()] == ["file"]


def test_link_is_replaced_and_not_what_it_leads_to(place: Path) -> None:
    (place / "target").write_text("old")
    (place / "file").symlink_to("target")

    replace_file(place / "file", b"new", 0o600)

    assert (place / "target").read_text() == "old"
    assert not (place / "file").is_symlink()


def test_failure_leaves_the_folder_as_it_was(place: Path) -> None:
    (place / "file").mkdir()

    with pytest.raises(OSError, match="file"):
        replace_file(place / "file", b"new", 0o600)

    assert [each.name for each in place.iterdir()] == ["file"]
