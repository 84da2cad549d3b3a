"""A share's socket in its folder: closed to others, and proof against those whom the folder is shown to."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from broker.server.listen import NotListening
from broker.server.share_socket import ShareListener
from tests.host.users import STRANGER, two_users


@pytest.fixture
def folder(place: Path) -> Path:
    """Where a share's folder would be: two levels below the broker's own directory."""
    place.chmod(0o700)
    return place / "shares" / "dev"


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def test_folders_and_socket_are_their_owners_alone(folder: Path) -> None:
    share_listener = ShareListener.at(folder)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (folder.parent, folder, share_listener.path)]
    share_listener.close()

    assert modes == [0o700, 0o700, 0o600]


def test_the_umask_does_not_matter_and_is_not_touched(folder: Path) -> None:
    before = os.umask(0)
    try:
        share_listener = ShareListener.at(folder)
        mode = stat.S_IMODE(share_listener.path.stat().st_mode)
        share_listener.close()
    finally:
        during = os.umask(before)

    assert (mode, during) == (0o600, 0)


def test_the_folder_outlives_the_socket(folder: Path) -> None:
    share_listener = ShareListener.at(folder)
    inode = folder.stat().st_ino
    share_listener.close()
    between = list(folder.iterdir())
    again = ShareListener.at(folder)
    serves = answers(again.path)
    again.close()

    assert (between, serves) == ([], True)
    assert folder.stat().st_ino == inode


def test_a_socket_left_by_a_kill_is_replaced(folder: Path) -> None:
    killed = ShareListener.at(folder)
    killed.socket.close()
    share_listener = ShareListener.at(folder)
    serves = answers(share_listener.path)
    share_listener.close()

    assert serves


@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_a_socket_that_is_not_there_any_more_is_noticed_and_another_ones_is_left(
    folder: Path, what: str
) -> None:
    share_listener = ShareListener.at(folder)
    assert share_listener.is_still_ours()
    share_listener.path.unlink()
    if what == "replaced":
        share_listener.path.touch()
    noticed = not share_listener.is_still_ours()
    share_listener.close()

    assert noticed
    assert share_listener.path.exists() is (what == "replaced")


def test_a_folder_that_is_a_link_elsewhere_is_refused(folder: Path, place: Path) -> None:
    folder.parent.mkdir(mode=0o700)
    (place / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(place / "elsewhere")

    with pytest.raises(NotListening, match="is a symbolic link"):
        ShareListener.at(folder)


def test_a_name_planted_in_the_folder_is_replaced_and_not_followed(folder: Path, place: Path) -> None:
    folder.parent.mkdir(mode=0o700)
    folder.mkdir(mode=0o700)
    precious = place / "precious"
    precious.write_text("mine")
    (folder / "broker.sock").symlink_to(precious)
    (folder / "broker.soc~").symlink_to(precious)
    share_listener = ShareListener.at(folder)
    serves = answers(share_listener.path)
    share_listener.close()

    assert serves
    assert precious.read_text() == "mine"


SWAPPING = """
import os, sys
from pathlib import Path
from broker.server.share_socket import ShareListener

folder, victim = map(Path, sys.argv[1:])
planted = folder / "broker.soc~"

def container(event, _):
    if event in {"os.chmod", "os.rename"} and planted.is_socket():
        planted.unlink()
        planted.symlink_to(victim)

sys.addaudithook(container)
print(ShareListener.at(folder).is_still_ours())
"""
"""A container's part is played at the moments when Python is about to change a file by its name."""


def test_a_link_put_in_the_sockets_place_while_it_is_made_changes_no_file_elsewhere(
    folder: Path, place: Path
) -> None:
    victim = place / "home"
    victim.mkdir(mode=0o711)
    command = [sys.executable, "-c", SWAPPING, str(folder), str(victim)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (folder / "broker.sock").is_symlink(), told
    assert stat.S_IMODE(victim.stat().st_mode) == 0o711
    assert told.stdout == "False\n"  # so that the daemon makes it anew


def test_a_directory_that_the_daemon_cannot_see_is_said_with_its_repair(place: Path) -> None:
    with pytest.raises(NotListening) as refused:
        ShareListener.at(place / "hidden" / "shares" / "dev")

    assert refused.value.hint == "brokerctl setup"
    assert not (place / "hidden").exists()


def test_a_path_too_long_for_a_socket_is_refused_and_nothing_is_made(place: Path) -> None:
    with pytest.raises(NotListening, match="longer than"):
        ShareListener.at(place / "shares" / ("x" * 100))

    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ["broker.sock", "broker.soc~"])
def test_a_folder_in_the_sockets_way_is_told(folder: Path, name: str) -> None:
    folder.parent.mkdir(mode=0o700)
    folder.mkdir(mode=0o700)
    (folder / name).mkdir()

    with pytest.raises(NotListening, match="is a directory"):
        ShareListener.at(folder)


@two_users
def test_a_folder_that_was_closed_meanwhile_keeps_its_socket_and_no_more() -> None:
    os.seteuid(STRANGER)  # root may remove a file from any folder
    try:
        with tempfile.TemporaryDirectory(dir="/tmp") as place:
            share_listener = ShareListener.at(Path(place, "shares", "dev"))
            share_listener.path.parent.chmod(0o500)
            share_listener.close()
            serves = answers(share_listener.path)
            share_listener.path.parent.chmod(0o700)
    finally:
        os.seteuid(0)

    assert not serves
