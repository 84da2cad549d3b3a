"""The configuration's files: which are read, which are refused, and that a change is noticed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.config.files import CONFIG_BYTES_MAX, ConfigFiles
from broker.config.paths import ConfigPaths
from broker.core.failures import BadConfiguration
from tests.host.users import STRANGER, two_users
from tests.typed_line import type_line


@pytest.fixture
def files(tmp_path: Path) -> ConfigFiles:
    return ConfigFiles(tmp_path / "site.toml", tmp_path / "env.toml", tmp_path / "config.toml")


def write(path: Path | None, text: str = "", mode: int = 0o600) -> None:
    assert path is not None
    path.write_text(text)
    path.chmod(mode)


def test_no_file_is_no_layer(files: ConfigFiles) -> None:
    assert files.read() == []


def test_the_users_file_comes_last_and_wins(files: ConfigFiles) -> None:
    for path, text in ((files.user, "user"), (files.site, "site"), (files.env, "env")):
        write(path, text)

    assert [(layer.role, layer.text) for layer in files.read()] == [
        ("site", "site"),
        ("env", "env"),
        ("user", "user"),
    ]


@pytest.mark.parametrize("place", ["config.toml", "no folder/yet/config.toml"])
def test_a_file_that_was_named_must_exist_and_the_line_makes_it(place: str, tmp_path: Path) -> None:
    required = ConfigFiles.of(ConfigPaths(tmp_path / place, tmp_path / "env.toml", named=True))

    with pytest.raises(BadConfiguration, match="does not exist") as raised:
        required.read()

    assert type_line(f"umask 000; {raised.value.hint}").returncode == 0
    assert [layer.path for layer in required.read()] == [tmp_path / place]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused_with_the_repair(files: ConfigFiles, mode: int) -> None:
    write(files.user, mode=mode)

    with pytest.raises(BadConfiguration, match="written by others") as raised:
        files.read()
    assert raised.value.hint == f"chmod go-w {files.user}"
    assert type_line(raised.value.hint).returncode == 0
    assert len(files.read()) == 1


def test_a_file_that_others_can_read_is_fine(files: ConfigFiles) -> None:
    write(files.user, mode=0o644)

    assert len(files.read()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(files: ConfigFiles) -> None:
    write(files.user)
    os.chown(files.user, 1001, 1001)

    with pytest.raises(BadConfiguration, match="belongs to another user"):
        files.read()


def test_a_folder_in_its_place_is_told_apart_and_an_empty_one_removed_by_the_line(files: ConfigFiles) -> None:
    files.user.mkdir()

    with pytest.raises(BadConfiguration, match="is a directory") as raised:
        files.read()

    assert type_line(raised.value.hint).returncode == 0
    assert files.read() == []


def test_what_is_not_utf8_names_its_line(files: ConfigFiles) -> None:
    files.user.write_bytes(b'ttl = "50m"\n# caf\xe9\n')
    files.user.chmod(0o600)

    with pytest.raises(BadConfiguration, match="line 2: not UTF-8"):
        files.read()


def test_a_file_without_end_is_not_read_to_its_end(files: ConfigFiles) -> None:
    with files.user.open("wb") as file:
        file.truncate(CONFIG_BYTES_MAX + 1)
    files.user.chmod(0o600)

    with pytest.raises(BadConfiguration, match="larger than"):
        files.read()


def test_every_change_changes_the_marks(files: ConfigFiles, tmp_path: Path) -> None:
    seen = [files.stamps()]
    write(files.user, "a")
    seen.append(files.stamps())
    write(files.user, "ab")
    seen.append(files.stamps())
    other = tmp_path / "other"
    write(other, "ab")
    other.rename(files.user)
    seen.append(files.stamps())
    write(files.site, "x")
    seen.append(files.stamps())
    files.user.unlink()
    seen.append(files.stamps())

    assert len(set(seen)) == len(seen)


def test_marks_stay_while_nothing_changes(files: ConfigFiles) -> None:
    write(files.user, "a")

    assert files.stamps() == files.stamps()


@pytest.mark.parametrize("role", ["site", "env", "user"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "is a named pipe, not a regular file"),
        (Path.mkdir, "is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a regular file"),
        (lambda path: path.symlink_to(path), "too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_a_message_at_once(
    files: ConfigFiles, role: str, make: Callable[[Path], None], why: str
) -> None:
    make(getattr(files, role))

    with pytest.raises(BadConfiguration, match=why):
        files.read()


def test_a_folder_that_others_can_write_is_refused_for_a_link_in_it_too(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    write(tmp_path / "ours.toml", "command")
    (shared / "config.toml").symlink_to(tmp_path / "ours.toml")
    shared.chmod(0o777)

    with pytest.raises(BadConfiguration, match="shared can be written by others") as raised:
        ConfigFiles(None, None, shared / "config.toml").read()
    assert raised.value.hint == f"chmod go-w {shared}"


@two_users
def test_another_users_link_in_our_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "token-broker"
    folder.mkdir()
    write(tmp_path / "ours.toml", "command")
    (folder / "config.toml").symlink_to(tmp_path / "ours.toml")
    os.chown(folder / "config.toml", STRANGER, STRANGER, follow_symlinks=False)

    with pytest.raises(BadConfiguration, match="toml belongs to another user") as raised:
        ConfigFiles(None, None, folder / "config.toml").read()
    assert raised.value.hint == f"rm {folder}/config.toml"
    assert type_line(raised.value.hint).returncode == 0
    assert ConfigFiles(None, None, folder / "config.toml").read() == []


def test_below_what_is_no_folder_there_is_no_file() -> None:
    nowhere = Path("/dev/null/.config/token-broker")

    assert ConfigFiles(None, nowhere / "env.toml", nowhere / "config.toml").read() == []


@pytest.mark.parametrize("linked", ["config.toml", "token-broker"])
def test_a_link_that_leads_nowhere_is_told_and_is_not_no_file(tmp_path: Path, linked: str) -> None:
    folder = tmp_path / "token-broker"
    link = folder / linked if linked == "config.toml" else folder
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("dotfiles")

    with pytest.raises(BadConfiguration) as raised:
        ConfigFiles(None, None, folder / "config.toml").read()

    assert raised.value.detail == f"{link} is a link to dotfiles, which is missing"
    assert raised.value.hint == f"ls -l {link}"
    assert type_line(raised.value.hint).returncode == 0
