"""A file whose readers wait for its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker.host.held_file import create_held, write_all


@pytest.mark.skipif(sys.platform != "linux", reason="no leases")
def test_readers_wait_for_the_last_close(tmp_path: Path) -> None:
    descriptor, is_held = create_held(tmp_path / "file", b"begun, ")
    another = os.dup(descriptor)
    os.close(descriptor)
    with subprocess.Popen(["cat", tmp_path / "file"], stdout=subprocess.PIPE) as reading:
        write_all(another, b"complete")
        os.close(another)
        said = reading.communicate()[0]

    assert is_held
    assert said == b"begun, complete"


@pytest.mark.skipif(sys.platform != "linux", reason="no leases")
def test_open_without_waiting_is_refused_while_it_is_held(tmp_path: Path) -> None:
    descriptor, _ = create_held(tmp_path / "file", b"")
    try:
        read = "import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)"
        ended = subprocess.run(
            [sys.executable, "-c", read, tmp_path / "file"], capture_output=True, text=True, check=False
        )
    finally:
        os.close(descriptor)

    assert "BlockingIOError" in ended.stderr


def test_file_is_ours_alone_and_new(tmp_path: Path) -> None:
    os.close(create_held(tmp_path / "file", b"content")[0])

    assert (tmp_path / "file").read_bytes() == b"content"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_held(tmp_path / "file", b"")


def test_kernel_without_leases_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr("fcntl.fcntl", refuse)

    descriptor, is_held = create_held(tmp_path / "file", b"content")
    os.close(descriptor)

    assert not is_held
