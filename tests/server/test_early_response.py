import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.server.early_response import WHOLE_BYTES_MAX, Answer
from broker.server.limits import Limits
from broker.server.ucred import Peer
from tests.server.serving import GET_AND_CLOSE, Greeter, everything, serving, turns

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: close\r\n\r\nhello"
"""What the application answers; the doorstep's own words are its."""


class Porter:
    """Answers what it knows, and remembers who asked."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self.heard: list[tuple[bytes, Peer]] = []
        self.given: list[bytes] = []

    def __call__(self, words: bytes, peer: Peer) -> tuple[bytes, Callable[[], object]] | None:
        self.heard.append((words, peer))
        answer = self.answers.get(words)
        return None if answer is None else (answer, lambda: self.given.append(answer))


async def test_what_the_porter_knows_is_answered_and_ended_without_the_application(place: Path) -> None:
    porter, greeter = Porter({b"knock": b"who is there?"}), Greeter()

    async with serving(place, greeter, reply=porter) as served:
        assert await served.send(b"knock") == b"who is there?"

    assert porter.heard == [(b"knock", Peer(os.geteuid(), os.getegid(), os.getpid()))]
    assert porter.given == [b"who is there?"]
    assert greeter.peers == []


async def test_the_application_hears_what_the_porter_did_not_know(place: Path) -> None:
    porter, greeter = Porter({}), Greeter()

    async with serving(place, greeter, reply=porter) as served:
        assert await served.send(GET_AND_CLOSE) == HELLO

    assert [words for words, _ in porter.heard] == [GET_AND_CLOSE]
    assert len(greeter.peers) == 1


async def test_who_speaks_late_is_heard_as_well(place: Path) -> None:
    porter = Porter({b"knock": b"who is there?"})

    async with serving(place, Greeter(), reply=porter) as served:
        reader, writer = await served.connect()
        await turns()
        writer.write(b"knock")

        assert await everything(reader) == b"who is there?"
        writer.close()


async def test_only_the_first_words_are_the_porters(place: Path) -> None:
    porter = Porter({})

    async with serving(place, Greeter(), reply=porter) as served:
        reader, writer = await served.connect()
        for piece in (GET_AND_CLOSE[:9], GET_AND_CLOSE[9:20], GET_AND_CLOSE[20:]):
            writer.write(piece)
            await turns()

        assert await everything(reader) == HELLO
        writer.close()
    assert [words for words, _ in porter.heard] == [GET_AND_CLOSE[:9]]


@pytest.mark.parametrize(("length", "heard"), [(WHOLE_BYTES_MAX, 1), (WHOLE_BYTES_MAX + 1, 0)])
async def test_an_answer_that_the_kernel_may_cut_is_the_applications(
    place: Path, length: int, heard: int
) -> None:
    porter, greeter = Porter({GET_AND_CLOSE: b"x" * length}), Greeter()

    async with serving(place, greeter, reply=porter) as served:
        answer = await served.send(GET_AND_CLOSE)

    assert answer == (b"x" * length if heard else HELLO)
    assert len(porter.given) == heard
    assert len(greeter.peers) == 1 - heard


async def test_who_leaves_before_the_answer_costs_nothing(place: Path) -> None:
    porter = Porter({b"knock": b"who is there?"})

    async with serving(place, Greeter(), reply=porter, limits=Limits(connections=1)) as served:
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(served.path))
                client.send(b"knock")

        assert await served.send(b"knock") == b"who is there?"


class SlowPorter(Porter):
    """Answers what it knows once it is told to."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        super().__init__(answers)
        self.go = asyncio.Event()

    def __call__(self, words: bytes, peer: Peer) -> Any:  # noqa: ANN401 - an answer that is coming
        answer = super().__call__(words, peer)
        return None if answer is None else self.fetched(answer)

    async def fetched(self, answer: Answer) -> Answer:
        await self.go.wait()
        return answer


async def test_an_answer_that_is_coming_is_waited_for_without_the_application(place: Path) -> None:
    porter, greeter = SlowPorter({b"knock": b"who is there?"}), Greeter()

    async with serving(place, greeter, reply=porter) as served:
        asking = [asyncio.create_task(served.send(b"knock")) for _ in range(3)]
        while len(porter.heard) < len(asking):
            await turns(1)
        assert porter.given == []
        porter.go.set()

        assert await asyncio.gather(*asking) == [b"who is there?"] * 3

    assert porter.given == [b"who is there?"] * 3
    assert greeter.peers == []


async def test_who_leaves_while_an_answer_is_coming_makes_room_and_is_counted(place: Path) -> None:
    porter = SlowPorter({b"knock": b"who is there?"})

    async with serving(place, Greeter(), reply=porter, limits=Limits(connections=1)) as served:
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(served.path))
                client.send(b"knock")
        assert await served.send(GET_AND_CLOSE) == HELLO
        assert porter.given == []
        porter.go.set()
        await turns()

    assert porter.given == [b"who is there?"] * 20


async def test_who_says_more_while_an_answer_is_coming_gets_one(place: Path) -> None:
    porter = SlowPorter({b"knock": b"who is there?"})

    async with serving(place, Greeter(), reply=porter) as served:
        reader, writer = await served.connect()
        writer.write(b"knock")
        await turns()
        writer.write(GET_AND_CLOSE)
        await turns()
        porter.go.set()

        assert await everything(reader) == b"who is there?"
        writer.close()


async def test_an_answer_that_came_and_is_too_long_is_the_applications(place: Path) -> None:
    porter, greeter = SlowPorter({GET_AND_CLOSE: b"x" * (WHOLE_BYTES_MAX + 1)}), Greeter()
    porter.go.set()

    async with serving(place, greeter, reply=porter) as served:
        assert await served.send(GET_AND_CLOSE) == HELLO

    assert porter.given == []
    assert len(greeter.peers) == 1


@pytest.mark.parametrize("is_coming", [False, True], ids=["at once", "on its way"])
async def test_a_defect_of_the_porters_costs_its_caller_alone(place: Path, *, is_coming: bool) -> None:
    async def broken() -> Answer:
        raise RuntimeError("a bug")

    def porter(words: bytes, _: Peer) -> Any:  # noqa: ANN401 - an answer, at once or coming
        if words == b"knock" and not is_coming:
            raise RuntimeError("a bug")
        return broken() if words == b"knock" else (b"fine", dict)

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    async with serving(place, Greeter(), reply=porter, limits=Limits(connections=1)) as served:
        for _ in range(3):
            assert await served.send(b"knock") == b""

        assert await served.send(b"hello") == b"fine"
    assert [str(error) for error in told] == ["a bug"] * 3


async def test_words_in_time_do_not_give_the_rest_more_time(place: Path) -> None:
    loop = asyncio.get_running_loop()
    limits = Limits(request_s=1.5)

    async with serving(place, Greeter(), limits=limits) as served:
        reader, writer = await served.connect()
        await served.send(GET_AND_CLOSE)
        began = loop.time()
        loop.call_at(began + limits.request_s * 0.9, writer.write, GET_AND_CLOSE[:9])

        assert await everything(reader) == b""
        assert loop.time() - began < limits.request_s * 1.9
        writer.close()


async def test_at_the_end_nobody_is_left_on_the_doorstep(place: Path) -> None:
    async with serving(place, Greeter(), limits=Limits(request_s=3600)) as served:
        reader, writer = await served.connect()
        await served.send(GET_AND_CLOSE)
        served.server.stop()

        assert await everything(reader) == b""
        writer.close()
