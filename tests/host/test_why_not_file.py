"""The record lies beside the socket, or in the state folder where that takes none."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.core.why_not import Reason, Topic, WhyNot
from broker.host.why_not_file import NAME, WhyNotFile, state_folder

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def reasons() -> tuple[Reason, ...]:
    why_not = WhyNot()
    why_not.tell(Topic.START, "the disk is full", at=NOW)
    return why_not.reasons


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    return folder / "broker.sock"


def test_record_lies_beside_the_socket_for_its_owner_alone(socket: Path, reasons: tuple[Reason, ...]) -> None:
    file = WhyNotFile(socket, socket.parent.parent / "state")

    assert file.write(reasons)

    assert socket.with_name(NAME).stat().st_mode & 0o777 == 0o600
    assert file.read() == reasons
    assert not (socket.parent.parent / "state").exists()


@pytest.mark.parametrize("mode", [0o755, None], ids=["open to others", "missing"])
def test_record_goes_to_the_state_folder_where_the_first_takes_none(
    socket: Path, reasons: tuple[Reason, ...], mode: int | None
) -> None:
    if mode is None:
        socket.parent.rmdir()
    else:
        socket.parent.chmod(mode)
    file = WhyNotFile(socket, socket.parent.parent / "a" / "state")

    assert file.write(reasons)

    assert not socket.with_name(NAME).exists()
    assert file.read() == reasons


def test_no_reason_removes_the_record_from_both(socket: Path, reasons: tuple[Reason, ...]) -> None:
    state = socket.parent.parent / "state"
    WhyNotFile(state / "x", state)
    WhyNotFile(socket, state).write(reasons)
    socket.parent.chmod(0o755)
    WhyNotFile(socket, state).write(reasons)
    socket.parent.chmod(0o700)

    assert WhyNotFile(socket, state).write(())

    assert [*socket.parent.iterdir(), *state.iterdir()] == []


def test_another_brokers_record_is_neither_read_nor_removed(
    socket: Path, reasons: tuple[Reason, ...]
) -> None:
    state = socket.parent.parent / "state"
    state.mkdir(mode=0o700)
    WhyNotFile(state / "other.sock").write(reasons)

    WhyNotFile(socket, state).write(())

    assert WhyNotFile(socket, state).read() == ()
    assert WhyNotFile(state / "other.sock").read() == reasons


def test_nowhere_to_write_is_told(socket: Path, reasons: tuple[Reason, ...]) -> None:
    assert not WhyNotFile(socket.parent / "none" / "x.sock").write(reasons)


def test_state_folder_is_the_one_that_is_named() -> None:
    assert state_folder({"XDG_STATE_HOME": "/s"}, Path("/h")) == Path("/s/token-broker")
    assert state_folder({"XDG_STATE_HOME": "s"}, Path("/h")) == Path("/h/.local/state/token-broker")


@pytest.mark.parametrize("text", ["", "{", "[" * 99_999, "\x00", "null", "{}"])
def test_file_that_is_no_record_is_none(socket: Path, text: str) -> None:
    socket.with_name(NAME).write_text(text)
    socket.with_name(NAME).chmod(0o600)

    assert WhyNotFile(socket).read() == ()
