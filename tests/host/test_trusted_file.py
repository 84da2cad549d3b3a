"""The one reader: which files it takes, which it refuses, and that none makes it wait."""

import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.host import trusted_file
from broker.host.trusted_file import (
    TEMPORARY,
    MissingFile,
    UnreadableFile,
    UntrustedFile,
    read,
    read_trusted,
    text_of,
    why_untrusted,
)
from tests.host.users import STRANGER, run_as, two_users

LIMIT = 1 << 20
Read = Callable[[Path, int], bytes]
both = pytest.mark.parametrize("reader", [read, read_trusted])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of ours that others may enter."""
    made = tmp_path / "folder"
    made.mkdir(mode=0o755)
    return made


def written(path: Path, text: str = "text", mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path as a whole may be too long for a socket
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def a_terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


SPECIAL: dict[Callable[[Path], None], str] = {
    a_folder: "cannot be read: is a directory",
    a_pipe: "is a named pipe, not a regular file",
    a_socket: "is a socket, not a regular file",
    an_endless_device: "is a device, not a regular file",
    a_terminal: "is a device, not a regular file",
    a_loop: "cannot be read: too many levels of symbolic links",
}


@both
@pytest.mark.parametrize("make", SPECIAL)
def test_what_is_no_regular_file_is_a_message_at_once(
    make: Callable[[Path], None], reader: Read, folder: Path
) -> None:
    make(folder / "file")

    with pytest.raises(UnreadableFile) as raised:
        reader(folder / "file", LIMIT)
    assert raised.value.said == SPECIAL[make]


@both
@pytest.mark.parametrize("name", ["nothing", "file/below", "nul\0"])
def test_a_file_that_is_not_there_is_told_apart(name: str, reader: Read, folder: Path) -> None:
    written(folder / "file")

    with pytest.raises(MissingFile):
        reader(folder / name, LIMIT)


@both
@pytest.mark.parametrize("name", ["x" * 300, "\udcff" * 100])
def test_a_name_that_the_system_refuses_is_a_message(name: str, reader: Read, folder: Path) -> None:
    with pytest.raises(UnreadableFile):
        reader(folder / name, LIMIT)


@both
def test_a_file_is_read_to_its_limit_and_no_further(reader: Read, folder: Path) -> None:
    file = written(folder / "file", "x" * 2048)

    assert reader(file, 2048) == b"x" * 2048
    with pytest.raises(UnreadableFile, match="is larger than 1 KiB"):
        reader(file, 1024 + 1023)


@both
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_a_file_that_says_it_is_empty_is_read_all_the_same(reader: Read) -> None:
    assert Path("/proc/version").stat().st_size == 0

    assert reader(Path("/proc/version"), LIMIT)
    with pytest.raises(UnreadableFile, match="is larger than"):
        reader(Path("/proc/version"), 4)


def test_the_beginning_of_a_longer_file_can_be_had(folder: Path) -> None:
    assert read(written(folder / "file", "0123456789"), 4, beginning=True) == b"0123"


def test_what_is_not_utf8_names_its_line(folder: Path) -> None:
    with pytest.raises(UnreadableFile, match="line 2: not UTF-8"):
        text_of(folder, b"a\n\xff")


@pytest.mark.parametrize(
    "links", [{"link": "folder/file"}, {"link": "other", "other": "./folder/../folder/file"}]
)
def test_our_own_links_are_followed(links: dict[str, str], folder: Path, tmp_path: Path) -> None:
    written(folder / "file")
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    (tmp_path / "absolute").symlink_to(tmp_path / "link")

    assert read_trusted(tmp_path / "absolute", LIMIT) == b"text"


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_folder_that_others_can_write_is_refused_with_the_line_that_closes_it(
    mode: int, folder: Path
) -> None:
    file = written(folder / "file")
    folder.chmod(mode)

    with pytest.raises(
        UntrustedFile, match=rf"folder can be written by others \(mode {mode:04o}\)"
    ) as raised:
        read_trusted(file, LIMIT)
    assert raised.value.hint is not None
    assert os.system(raised.value.hint) == 0  # noqa: S605 - the line that is printed
    assert read_trusted(file, LIMIT) == b"text"


def test_a_folder_far_above_counts_as_well(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "below").mkdir()
    file = written(folder / "below" / "file")
    folder.chmod(0o777)

    with pytest.raises(UntrustedFile, match="keep the file in a folder that only you can write") as raised:
        read_trusted(file, LIMIT)
    assert raised.value.hint is None

    monkeypatch.setenv("HOME", str(folder))
    with pytest.raises(UntrustedFile) as raised:
        read_trusted(file, LIMIT)
    assert raised.value.hint == f"chmod go-w {folder}"


def test_a_folder_that_a_link_leads_through_counts_as_well(folder: Path, tmp_path: Path) -> None:
    written(folder / "file")
    folder.chmod(0o777)
    (tmp_path / "link").symlink_to("folder/file")

    assert read(tmp_path / "link", LIMIT) == b"text"
    with pytest.raises(UntrustedFile):
        read_trusted(tmp_path / "link", LIMIT)


def test_what_is_ours_in_a_sticky_folder_is_taken(folder: Path) -> None:
    file = written(folder / "file")
    (folder / "link").symlink_to("file")
    folder.chmod(0o1777)

    assert read_trusted(folder / "link", LIMIT) == read_trusted(file, LIMIT) == b"text"


def test_a_folder_for_all_users_without_its_sticky_bit_keeps_closed_folders_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted_file, "TEMPORARY", {*TEMPORARY, folder})
    file = written(folder / "file")
    (folder / "closed").mkdir(mode=0o755)
    inside = written(folder / "closed" / "file")
    folder.chmod(0o777)

    assert read_trusted(inside, LIMIT) == b"text"
    with pytest.raises(UntrustedFile) as raised:
        read_trusted(file, LIMIT)
    assert raised.value.hint is None  # its mode is not this user's business
    (folder / "closed").chmod(0o777)
    with pytest.raises(UntrustedFile):
        read_trusted(inside, LIMIT)


@both
def test_a_read_leaves_no_descriptor_open(reader: Read, folder: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs Linux's /proc")
    a_pipe(folder / "pipe")
    file = written(folder / "file")
    (folder / "link").symlink_to(file)
    before = len(list(Path("/proc/self/fd").iterdir()))

    reader(folder / "link", LIMIT)
    for name in ("pipe", "nothing", "file/below"):
        with pytest.raises(UnreadableFile):
            reader(folder / name, LIMIT)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of mode 0777 that the other user can reach."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        made = Path(above, "shared")
        made.mkdir()
        made.chmod(0o777)
        yield made


def as_stranger(program: str, *arguments: Path) -> None:
    run_as(STRANGER, f"import os, sys\n{program}", *(str(each) for each in arguments))


@two_users
def test_another_users_link_to_a_file_of_ours_is_refused_and_can_be_removed(
    shared: Path, folder: Path
) -> None:
    ours = written(folder / "ours")
    as_stranger("os.symlink(sys.argv[1], sys.argv[2])", ours, shared / "config.toml")
    shared.chmod(0o755)

    assert read(shared / "config.toml", LIMIT) == b"text"
    with pytest.raises(UntrustedFile, match=f"belongs to another user .uid {STRANGER}.") as raised:
        read_trusted(shared / "config.toml", LIMIT)
    assert raised.value.hint is not None
    assert os.system(raised.value.hint) == 0  # noqa: S605 - the line that is printed
    assert not (shared / "config.toml").is_symlink()


@two_users
@pytest.mark.parametrize("sticky", [0, stat.S_ISVTX])
def test_another_users_folder_is_refused_though_the_file_is_ours(
    sticky: int, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted_file, "TEMPORARY", {*TEMPORARY, shared})
    shared.chmod(0o777 | sticky)
    as_stranger("os.mkdir(sys.argv[1])", shared / "theirs")
    written(shared / "theirs" / "config.toml")

    with pytest.raises(UntrustedFile, match="theirs belongs to another user"):
        read_trusted(shared / "theirs" / "config.toml", LIMIT)


@two_users
def test_another_users_file_in_a_sticky_folder_is_refused(shared: Path) -> None:
    shared.chmod(0o1777)
    as_stranger("open(sys.argv[1], 'w').write('theirs')", shared / "config.toml")

    with pytest.raises(UntrustedFile, match="belongs to another user"):
        read_trusted(shared / "config.toml", LIMIT)
    assert why_untrusted(shared / "config.toml") is not None


@two_users
def test_only_files_of_these_owners_are_read(shared: Path) -> None:
    as_stranger("open(sys.argv[1], 'w').write('theirs')", shared / "uv.toml")

    assert read(shared / "uv.toml", LIMIT, owners={STRANGER}) == b"theirs"
    with pytest.raises(UntrustedFile):
        read(shared / "uv.toml", LIMIT, owners={0})
