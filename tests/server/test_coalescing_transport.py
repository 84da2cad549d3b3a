import asyncio

from broker.server.coalescing_transport import CoalescingTransport
from tests.fake_clock import settle


class Wire:
    """A transport that takes notes."""

    def __init__(self) -> None:
        self.notes: list[bytes | str] = []

    def write(self, piece: bytes) -> None:
        self.notes.append(piece)

    def close(self) -> None:
        self.notes.append("closed")

    def abort(self) -> None:
        self.notes.append("aborted")

    def is_closing(self) -> bool:
        return "closed" in self.notes


def over(wire: Wire) -> CoalescingTransport:
    return CoalescingTransport(wire, asyncio.get_running_loop())  # type: ignore[arg-type] # as much of one as is used


async def test_what_is_written_in_one_turn_is_sent_at_once() -> None:
    wire = Wire()
    gathering = over(wire)

    for piece in (b"headers ", b"body", b""):
        gathering.write(piece)
    await settle()
    gathering.write(b"next")
    await settle()

    assert wire.notes == [b"headers body", b"next"]


async def test_what_was_written_is_sent_before_the_close() -> None:
    wire = Wire()
    gathering = over(wire)

    gathering.write(b"answer")
    gathering.close()
    await settle()

    assert wire.notes == [b"answer", "closed"]
    assert gathering.is_closing()


async def test_nothing_is_sent_after_hanging_up() -> None:
    wire = Wire()
    gathering = over(wire)

    gathering.write(b"answer")
    gathering.abort()
    await settle()

    assert wire.notes == ["aborted"]
