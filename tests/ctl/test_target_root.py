"""`brokerctl setup --all-users` and `--system` in an image below a folder, and their undoing to the byte."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker.ctl.command_error import CommandError
from broker.ctl.setup.target_root import TargetRoot
from tests.ctl.homes import tree, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ctl.conftest import Ended

    Brokerctl = Callable[..., Ended]

HERE = Path(sys.executable).parent
FOR_ALL = ("--all-users",)
FOR_A_GROUP = ("--system",)

WRITTEN: dict[tuple[str, ...], set[str]] = {
    FOR_ALL: {
        "etc/systemd/user/token-broker.socket",
        "etc/systemd/user/token-broker.service",
        "etc/systemd/user/sockets.target.wants/token-broker.socket",
        "etc/systemd/user-preset/50-token-broker.preset",
        "etc/uv/uv.toml",
        "etc/pip.conf",
        "usr/local/bin/keyring",
    },
    FOR_A_GROUP: {
        "etc/systemd/system/token-broker.socket",
        "etc/systemd/system/token-broker.service",
        "etc/systemd/system/sockets.target.wants/token-broker.socket",
        "etc/sysusers.d/token-broker.conf",
        "etc/uv/uv.toml",
        "etc/pip.conf",
        "usr/local/bin/keyring",
        "etc/token-broker/system.toml",
    },
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with the same installation in the same place, and settings of somebody else's."""
    root = tmp_path / "image"
    for program in (Path(sys.executable).name, "brokerd", "keyring-shim"):
        write(root / HERE.relative_to("/") / program, "#!/bin/sh\n", 0o755)
    write(root / "etc/pip.conf", "[global]\ntimeout = 60\n", 0o644)
    return root


def new_files(before: dict[str, tuple[str, object]], after: dict[str, tuple[str, object]]) -> set[str]:
    return {
        place for place in after if after[place] != before.get(place) and not after[place][0].startswith("d")
    }


@pytest.mark.parametrize("options", [FOR_ALL, FOR_A_GROUP])
def test_what_is_written_is_all_in_the_image(
    brokerctl: Brokerctl, image: Path, options: tuple[str, ...]
) -> None:
    before = tree(image)

    ended = brokerctl("setup", *options, "--root", str(image))

    written = {
        place for place in new_files(before, tree(image)) if not place.startswith("var/lib/token-broker/")
    }
    assert (ended.exit_code, written) == (0, WRITTEN[options])


@pytest.mark.parametrize("options", [FOR_ALL, FOR_A_GROUP])
def test_everybody_may_read_what_is_for_everybody(
    brokerctl: Brokerctl, image: Path, options: tuple[str, ...]
) -> None:
    mask = os.umask(0o077)
    try:
        brokerctl("setup", *options, "--root", str(image))
    finally:
        os.umask(mask)

    for place in WRITTEN[options]:
        path = image / place
        if not path.is_symlink():
            assert path.stat().st_mode & 0o044 == 0o044, place
        for above in path.relative_to(image).parents:
            assert (image / above).stat().st_mode & 0o005 == 0o005, place


@pytest.mark.parametrize("options", [FOR_ALL, FOR_A_GROUP])
def test_units_name_the_paths_of_the_running_image(
    brokerctl: Brokerctl, image: Path, options: tuple[str, ...]
) -> None:
    brokerctl("setup", *options, "--root", str(image))

    texts = [(image / place).read_text() for place in WRITTEN[options] if not (image / place).is_symlink()]
    assert not any(str(image) in text for text in texts)
    assert any(str(HERE / "brokerd") in text for text in texts)


@pytest.mark.parametrize("options", [FOR_ALL, FOR_A_GROUP])
def test_again_there_is_nothing_to_do(brokerctl: Brokerctl, image: Path, options: tuple[str, ...]) -> None:
    brokerctl("setup", *options, "--root", str(image))
    before = tree(image)

    brokerctl("setup", *options, "--root", str(image))
    planned = brokerctl("setup", *options, "--root", str(image), "--dry-run")

    assert planned.stdout.splitlines()[-1] == "everything is set up already"
    assert tree(image) == before


@pytest.mark.parametrize("options", [FOR_ALL, FOR_A_GROUP])
def test_a_dry_run_names_all_and_does_nothing(
    brokerctl: Brokerctl, image: Path, options: tuple[str, ...]
) -> None:
    before = tree(image)

    planned = brokerctl("setup", *options, "--root", str(image), "--dry-run")

    assert all(f"{image}/{place}" in planned.stdout for place in WRITTEN[options])
    assert tree(image) == before


@pytest.mark.parametrize("options", [FOR_ALL, FOR_A_GROUP])
def test_teardown_leaves_the_image_as_it_was(
    brokerctl: Brokerctl, image: Path, options: tuple[str, ...]
) -> None:
    before = tree(image)
    brokerctl("setup", *options, "--root", str(image))

    ended = brokerctl("teardown", *options, "--root", str(image))

    assert (ended.exit_code, tree(image)) == (0, before)


@pytest.mark.parametrize("options", [FOR_ALL, FOR_A_GROUP])
def test_an_image_that_was_moved_is_torn_down_all_the_same(
    brokerctl: Brokerctl, image: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    before = tree(image)
    brokerctl("setup", *options, "--root", str(image))
    moved = image.rename(tmp_path / "moved")

    brokerctl("teardown", *options, "--root", str(moved))

    assert tree(moved) == before


def test_what_both_set_ups_have_is_told_to_be_set_up_again(brokerctl: Brokerctl, image: Path) -> None:
    for options in (FOR_ALL, FOR_A_GROUP):
        brokerctl("setup", *options, "--root", str(image))
    both = tree(image, without=("var",))

    ended = brokerctl("teardown", *FOR_ALL, "--root", str(image))
    brokerctl("setup", *FOR_A_GROUP, "--root", str(image))
    brokerctl("setup", *FOR_ALL, "--root", str(image))

    assert "brokerctl setup --system" in ended.stdout
    assert tree(image, without=("var",)) == both


def test_an_image_that_leads_out_of_itself_is_refused(
    brokerctl: Brokerctl, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(image / "etc")
    (image / "etc").symlink_to(tmp_path / "elsewhere")

    ended = brokerctl("setup", *FOR_ALL, "--root", str(image))

    assert (ended.exit_code, list((tmp_path / "elsewhere").iterdir())) == (1, [])
    assert "leads out of" in ended.stderr


def test_an_image_without_token_broker_is_refused(brokerctl: Brokerctl, tmp_path: Path) -> None:
    ended = brokerctl("setup", *FOR_ALL, "--root", str(tmp_path))

    assert ended.exit_code == 1
    assert "install token-broker in it first" in ended.stderr


def test_an_installation_that_is_closed_to_others_is_refused(brokerctl: Brokerctl, image: Path) -> None:
    (image / HERE.relative_to("/")).parent.chmod(0o700)

    ended = brokerctl("setup", *FOR_ALL, "--root", str(image))

    assert ended.exit_code == 1
    assert "is closed to others" in ended.stderr


@pytest.mark.parametrize(
    "script",
    [
        "#!{outside}\n",
        "#!/bin/sh\n'''exec' \"{outside}\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {outside} \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_a_script_that_begins_with_a_path_outside_of_the_image_is_refused_by_that_name(
    brokerctl: Brokerctl, image: Path, script: str
) -> None:
    outside = f"{image}{HERE}/python"  # where the machine that built it had it
    (image / HERE.relative_to("/") / "keyring-shim").write_text(script.format(outside=outside))

    ended = brokerctl("setup", *FOR_ALL, "--root", str(image))

    said = " ".join(ended.stderr.split())
    assert ended.exit_code == 1
    assert f"keyring-shim begins with #! {outside}, which {image} does not have" in said
    assert f"chroot {image} env UV_TOOL_DIR=/opt/token-broker" in said


def test_a_python_that_leads_out_of_the_image_is_refused_by_that_name(
    brokerctl: Brokerctl, image: Path
) -> None:
    outside = "/root/.local/share/uv/python/cpython-3.11/bin/python3.11"
    python = image / HERE.relative_to("/") / Path(sys.executable).name
    python.unlink()
    python.symlink_to(outside)

    ended = brokerctl("setup", *FOR_ALL, "--root", str(image))

    assert ended.exit_code == 1
    assert f"leads to {outside}, which {image} does not have" in " ".join(ended.stderr.split())


def test_a_python_that_leads_on_within_the_image_is_fine(brokerctl: Brokerctl, image: Path) -> None:
    python = image / HERE.relative_to("/") / Path(sys.executable).name
    python.unlink()
    python.symlink_to("/opt/python/bin/python3")
    write(image / "opt/python/bin/python3.11", "a program", 0o755)
    (image / "opt/python/bin/python3").symlink_to("python3.11")

    assert brokerctl("setup", *FOR_ALL, "--root", str(image)).exit_code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sets up a whole machine")
def test_a_python_in_a_closed_home_is_told_from_an_installation_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory(dir="/opt", prefix="token-broker-") as place:
        home, programs = Path(place, "home"), Path(place, "bin")
        for folder in (Path(place), home, programs):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        write(home / "python3", "", 0o755)
        home.chmod(0o700)
        (programs / "python").symlink_to(home / "python3")
        write(programs / "brokerd", "", 0o755)
        write(programs / "keyring-shim", "", 0o755)
        monkeypatch.setattr(sys, "executable", str(programs / "python"))
        monkeypatch.setattr(sys, "argv", [str(programs / "brokerctl")])

        with pytest.raises(CommandError) as refused:
            TargetRoot().installation()

    said = f"{home} is closed to others, and its Python, {home}/python3, lies below it"
    assert refused.value.detail == said
    assert (refused.value.hint or "").endswith(" --reinstall --python /usr/bin/python3")


def test_another_keyring_stays_until_it_is_said(brokerctl: Brokerctl, image: Path) -> None:
    write(image / "usr/local/bin/keyring", "#!/bin/sh\n", 0o755)

    kept = brokerctl("setup", *FOR_ALL, "--root", str(image))
    replaced = brokerctl("setup", *FOR_ALL, "--root", str(image), "--replace")

    assert (kept.exit_code, replaced.exit_code) == (1, 0)
    assert "is another keyring and stays   brokerctl setup --all-users --replace" in kept.stdout
    assert (image / "usr/local/bin/keyring").readlink() == HERE / "keyring-shim"
    assert (image / "usr/local/share/token-broker/replaced/keyring").read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize(
    "words", [("--all-users", "--system"), ("--root", "/nowhere"), ("--group", "developers")]
)
def test_options_that_do_not_go_together_are_a_usage_error(
    brokerctl: Brokerctl, words: tuple[str, ...]
) -> None:
    assert brokerctl("setup", *words).exit_code == 2
