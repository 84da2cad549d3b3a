"""`keyring` is changed by another program after the set-up: what a second set-up and an undoing make of that.

uv removes what is at the tool's place on PATH and links there anew at each `uv tool upgrade`, and removes it
at `uv tool uninstall` (`remove_entrypoints` and `install_executables` in astral-sh/uv,
crates/uv/src/commands/tool/common.rs).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ctl.homes import (
    JOURNAL,
    LINK,
    PIP_SETTINGS,
    REPLACED,
    SHIM,
    UV_SETTINGS,
    foreign_keyring,
    tree,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]
    Undo = Callable[[Path], str]

TOOL = ".local/share/uv/tools/keyring"


def uv_tool_install(home: Path, version: str = "1") -> None:
    """What `uv tool install keyring` leaves."""
    write(home / TOOL / "bin/keyring", f"#!/bin/sh\necho {version}\n", 0o755)
    (home / LINK).parent.mkdir(parents=True, exist_ok=True)
    (home / LINK).symlink_to(home / TOOL / "bin/keyring")


def uv_tool_upgrade(home: Path) -> None:
    """What `uv tool upgrade keyring` does: it takes away what it finds, and links anew."""
    shutil.rmtree(home / TOOL)
    (home / LINK).unlink()
    uv_tool_install(home, "2")


def uv_tool_uninstall(home: Path) -> None:
    """What `uv tool uninstall keyring` does."""
    (home / LINK).unlink(missing_ok=True)
    shutil.rmtree(home / TOOL)


@pytest.fixture(params=["teardown", "script"])
def undo(request: pytest.FixtureRequest, brokerctl: Brokerctl) -> Undo:
    """Both ways to undo a set-up: they must do the same; what they say."""

    def by_script(home: Path) -> str:
        script = ["/bin/sh", str(home / JOURNAL / "undo.sh")]
        done = subprocess.run(script, capture_output=True, text=True, check=True, cwd="/")
        assert done.stderr == ""
        return str(done.stdout)

    def by_teardown(_: Path) -> str:
        ended = brokerctl("teardown")
        assert (ended.exit_code, ended.stderr) == (0, "")
        return ended.stdout

    return by_script if request.param == "script" else by_teardown


def test_keyring_that_uv_put_back_is_replaced_again_and_the_newer_one_is_restored(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    uv_tool_install(home)
    before = tree(home)
    brokerctl("setup", "--replace")
    uv_tool_upgrade(home)

    refused = brokerctl("setup")
    again = [brokerctl("setup", "--replace") for _ in range(2)]
    link = (home / LINK).readlink()
    undo(home)

    assert "is another keyring and stays   brokerctl setup --replace" in refused.stdout
    assert ([each.exit_code for each in again], link) == ([0, 0], SHIM)
    newer = {f"{TOOL}/bin/keyring": ("-rwxr-xr-x", b"#!/bin/sh\necho 2\n")}
    assert tree(home) == {**before, **newer}


def test_file_that_another_file_replaced_is_kept_and_named(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    foreign_keyring(home)
    brokerctl("setup", "--replace")
    (home / LINK).unlink()
    write(home / LINK, "#!/bin/sh\necho newer\n", 0o755)

    again = brokerctl("setup", "--replace")
    said = undo(home)

    assert again.exit_code == 0
    assert (home / LINK).read_text() == "#!/bin/sh\necho newer\n"
    assert (home / f"{REPLACED}.1").read_text() == "#!/bin/sh\necho foreign\n"
    assert f"{home / REPLACED}.1, which was replaced earlier, stays" in said


def test_keyring_that_was_put_in_ours_place_stays_and_the_earlier_one_is_named(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    foreign_keyring(home)
    brokerctl("setup", "--replace")
    (home / LINK).unlink()
    (home / LINK).symlink_to("/bin/true")

    said = undo(home)

    assert str((home / LINK).readlink()) == "/bin/true"
    assert f"is another one now: the one that was there before stays in {home / REPLACED}" in said


def test_set_up_after_a_keyring_was_left_behind_works(brokerctl: Brokerctl, home: Path, undo: Undo) -> None:
    foreign_keyring(home)
    brokerctl("setup", "--replace")
    (home / LINK).unlink()
    (home / LINK).symlink_to("/bin/true")
    brokerctl("teardown")

    again = brokerctl("setup", "--replace")
    undo(home)

    assert again.exit_code == 0
    assert str((home / LINK).readlink()) == "/bin/true"
    assert (home / f"{REPLACED}.1").read_text() == "#!/bin/sh\necho foreign\n"


def test_keyring_whose_tool_is_gone_is_not_put_back_and_that_is_said(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    uv_tool_install(home)
    brokerctl("setup", "--replace")
    uv_tool_uninstall(home)
    brokerctl("setup")

    said = undo(home)

    assert not (home / LINK).is_symlink()
    assert f"{home / LINK} led to {home / TOOL}/bin/keyring, which is gone: it is not put back" in said
    assert not (home / ".local/share/token-broker").exists()


def test_link_that_led_nowhere_from_the_beginning_is_as_it_was(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    (home / LINK).parent.mkdir(parents=True)
    (home / LINK).symlink_to("../gone")
    before = tree(home)
    brokerctl("setup")

    undo(home)

    assert tree(home) == before


def test_settings_that_are_a_link_to_a_file_that_is_not_there_are_as_they_were(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    for place in (UV_SETTINGS, PIP_SETTINGS):
        (home / place).parent.mkdir(parents=True)
        (home / place).symlink_to(home / "made-later")
    before = tree(home)
    brokerctl("setup")
    written = (home / "made-later").exists()

    undo(home)

    assert written
    assert tree(home) == before


def test_link_that_the_user_removed_gives_way_to_what_was_there(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    foreign_keyring(home)
    before = tree(home)
    brokerctl("setup", "--replace")
    (home / LINK).unlink()

    undo(home)

    assert tree(home) == before


def test_folder_that_vanished_is_named_with_the_place_of_the_keyring(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    foreign_keyring(home)
    brokerctl("setup", "--replace")
    shutil.rmtree((home / LINK).parent)

    said = undo(home)

    stays = f"the one that was there before stays in {home / REPLACED}"
    assert f"{(home / LINK).parent} is gone: {stays}" in said
    assert (home / REPLACED).read_text() == "#!/bin/sh\necho foreign\n"


def test_folder_that_vanished_is_made_again_by_the_next_set_up(
    brokerctl: Brokerctl, home: Path, undo: Undo
) -> None:
    foreign_keyring(home)
    (home / LINK).parent.chmod(0o700)
    before = tree(home)
    brokerctl("setup", "--replace")
    shutil.rmtree((home / LINK).parent)

    again = brokerctl("setup")
    undo(home)

    assert again.exit_code == 0
    assert tree(home) == before


def test_where_the_record_is_gone_teardown_names_our_link_and_the_line_that_removes_it(
    brokerctl: Brokerctl, home: Path
) -> None:
    brokerctl("setup")
    shutil.rmtree(home / ".local/share/token-broker")

    said = brokerctl("teardown").stdout
    again = brokerctl("setup").exit_code
    after = brokerctl("teardown").stdout

    hint = f"rm {home / LINK}"
    assert said.startswith("nothing was set up here\n")
    assert hint in said
    assert (again, hint in after) == (0, True)
    subprocess.run(["/bin/sh", "-c", hint], check=True)
    assert brokerctl("teardown").stdout == "nothing was set up here\n"


def test_original_has_its_other_names_again(brokerctl: Brokerctl, home: Path, undo: Undo) -> None:
    foreign_keyring(home)
    write(home / UV_SETTINGS, "offline = false\n")
    others = {LINK: home / "keyring-too", UV_SETTINGS: home / "uv-too.toml"}
    for place, other in others.items():
        other.hardlink_to(home / place)
    brokerctl("setup", "--replace")

    undo(home)

    assert all((home / place).samefile(other) for place, other in others.items())


def test_what_cannot_be_undone_keeps_the_record_and_is_undone_later(
    brokerctl: Brokerctl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / UV_SETTINGS, "offline = false\n", 0o600)
    before = tree(home)
    brokerctl("setup")

    with monkeypatch.context() as full:
        full.setattr("os.link", _full)
        full.setattr("broker.ctl.setup.undo_rules.replace_file", _full)
        failed = brokerctl("teardown")
    brokerctl("teardown")

    assert failed.exit_code == 1
    assert f"{home / UV_SETTINGS} cannot be put back: no space left on device" in failed.stderr
    assert tree(home) == before


def _full(*paths: Path, **_: object) -> None:
    raise OSError(28, "No space left on device", str(paths[0]), None, str(paths[-1]))
