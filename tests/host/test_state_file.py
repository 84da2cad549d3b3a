"""The file that one daemon leaves for the next."""

import stat
from pathlib import Path

import pytest

from broker.host import state_file


def test_what_was_written_is_read_and_nobody_else_can(place: Path) -> None:
    state_file.write(place / "memo", "old")
    state_file.write(place / "memo", "new")

    assert state_file.read(place / "memo") == "new"
    assert stat.S_IMODE((place / "memo").stat().st_mode) == 0o600
    assert [each.name for each in place.iterdir()] == ["memo"]


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_not_believed(place: Path, mode: int) -> None:
    state_file.write(place / "memo", "text")
    (place / "memo").chmod(mode)

    assert state_file.read(place / "memo") is None


def test_links_directories_nothing_and_garbage_are_no_memo(place: Path) -> None:
    (place / "target").write_text("text")
    (place / "link").symlink_to(place / "target")
    (place / "garbage").write_bytes(b"\xff\xfe")

    assert [state_file.read(place / name) for name in ("link", ".", "missing", "garbage")] == [None] * 4
