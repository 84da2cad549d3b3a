import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from broker.server.early_response import Answer
from broker.server.http_protocol import HttpConnections
from broker.server.http_server import HttpServer
from broker.server.limits import Limits
from broker.server.listen import take
from broker.server.listener_spec import ListenerSpec
from broker.server.ucred import Peer
from tests.server.serving import GET, GET_AND_CLOSE, PATIENCE_S, Greeter, Slow, everything, serving, turns

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


async def test_what_is_under_way_is_finished_at_the_end(place: Path) -> None:
    slow = Slow()

    async with serving(place, slow) as served:
        asking = asyncio.create_task(served.send(GET))
        await slow.asked.wait()
        served.server.stop()
        slow.go.set()

        assert await asking == HELLO


async def test_a_look_up_under_way_is_finished_at_the_end(place: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def fetched() -> Answer:
        asked.set()
        await go.wait()
        return b"who is there?", dict

    async with serving(place, Greeter(), reply=lambda *_: fetched()) as served:
        asking = asyncio.create_task(served.send(b"knock"))
        await asked.wait()
        served.server.stop()
        await turns()
        assert not served.ended.done()
        go.set()

        assert await asking == b"who is there?"


async def test_the_end_waits_for_no_connection_that_asks_nothing(place: Path) -> None:
    async with serving(place, Greeter()) as served:
        kept, writer = await served.connect()
        writer.write(GET)
        assert await kept.readexactly(len(HELLO)) == HELLO
        silent, silent_writer = await served.connect()
        await turns()
        served.server.stop()

        assert await everything(kept) == await everything(silent) == b""
        writer.close()
        silent_writer.close()


async def test_what_is_not_answered_in_time_is_cut_at_the_end_and_said(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Slow()
    async with serving(place, slow) as served:
        asking = asyncio.create_task(served.send(GET))
        await slow.asked.wait()
        served.server.stop()
        await served.ended
        slow.go.set()
        await asking

    assert "answers_cut held=1" in caplog.text


async def test_a_closed_acceptor_is_not_kept(place: Path) -> None:
    async with serving(place, Greeter()) as served:
        await turns()
        for number in range(3):
            listener = take(place / f"further-{number}" / "broker.sock")
            served.server.open(ListenerSpec(listener.socket)).close()
            listener.close()

        assert len(served.server._acceptors) == 2


async def test_http_is_loaded_once_and_not_for_early_answers(place: Path) -> None:
    def reply(words: bytes, _: Peer) -> Answer | None:
        return (b"fine", dict) if words == b"knock" else None

    async with serving(place, Greeter(), reply=reply) as served:
        assert await served.send(b"knock") == b"fine"
        assert served.server._http is None
        await asyncio.gather(*(served.send(GET_AND_CLOSE) for _ in range(4)))
        loaded = served.server._http
        await served.send(GET_AND_CLOSE)

        assert served.server._http is loaded is not None


async def test_http_is_loaded_where_no_thread_can_be_started(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    async with serving(place, Greeter()) as served:
        with monkeypatch.context() as no_threads:
            no_threads.setattr(threading.Thread, "start", start)

            assert (await served.send(GET_AND_CLOSE)).endswith(b"hello")


async def test_the_time_of_a_request_does_not_run_while_http_is_loaded(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, is_late, limits = HttpServer._load, threading.Event(), Limits(request_s=0.05)

    def slowly(server: HttpServer) -> HttpConnections:
        is_late.wait(PATIENCE_S)
        return load(server)

    monkeypatch.setattr(HttpServer, "_load", slowly)
    async with serving(place, Greeter(), limits=limits) as served:
        asyncio.get_running_loop().call_later(2 * limits.request_s, is_late.set)
        answer = await served.send(b"POST / HTTP/1.1\r\nHost: broker\r\nContent-Length: 1025\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_server_that_only_answers_look_ups_loads_no_http() -> None:
    heavy = ("uvicorn", "h11", "click", "multiprocessing")
    program = f"import sys, broker.daemon.composition; print([m for m in {heavy!r} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"
