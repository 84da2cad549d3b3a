import asyncio
import contextlib
import inspect
import logging
import os
import socket
import struct
from pathlib import Path

import h11
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from broker.core.uids import UNMAPPED
from broker.server.http_protocol import Receive, Scope, Send
from broker.server.limits import Limits
from broker.server.listener_spec import ours_or_root
from broker.server.log_throttle import RECORDS
from broker.server.ucred import Peer, peer_of
from tests.server.serving import GET, GET_AND_CLOSE, Greeter, Serving, Slow, everything, serving

TINY_S = 0.05
"""A deadline that a test waits out; nothing depends on how late it strikes."""

HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


async def is_fine(served: Serving) -> bool:
    """True when somebody else is served as ever."""
    return (await served.send(GET_AND_CLOSE)).endswith(b"hello")


async def test_a_request_knows_its_peer(place: Path) -> None:
    greeter = Greeter()

    async with serving(place, greeter) as served:
        await served.send(GET_AND_CLOSE)

    assert greeter.peers == [{"uid": os.geteuid(), "gid": os.getegid(), "pid": os.getpid()}]


async def test_a_connection_is_kept_for_the_next_request(place: Path) -> None:
    async with serving(place, Greeter()) as served:
        reader, writer = await served.connect()
        for _ in range(3):
            writer.write(GET)
            assert await reader.readexactly(len(HELLO)) == HELLO
        writer.close()


@pytest.mark.parametrize("beginning", [b"", b"G", b"GET / HTTP/1.1\r\nHost: bro"])
async def test_who_does_not_finish_a_request_is_hung_up_on(place: Path, beginning: bytes) -> None:
    greeter = Greeter()

    async with serving(place, greeter, limits=Limits(request_s=TINY_S)) as served:
        assert await served.send(beginning) == b""

        assert await is_fine(served)
    assert len(greeter.peers) == 1


async def test_dripping_does_not_move_the_deadline(place: Path) -> None:
    async with serving(place, Greeter(), limits=Limits(request_s=TINY_S)) as served:
        reader, writer = await served.connect()
        ended = asyncio.create_task(everything(reader))
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while not ended.done():
            writer.write(b"x")
            await asyncio.wait([ended], timeout=TINY_S / 5)

        assert await ended == b""
        assert await is_fine(served)
        writer.close()


async def test_a_broken_body_is_answered_once_and_without_a_traceback(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(place, Greeter()) as served:
        answer = await served.send(
            b"POST / HTTP/1.1\r\nHost: broker\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n\r\n"
        )

        assert answer.count(b"HTTP/1.1 400") == 1
        assert await is_fine(served)
    assert "Traceback" not in caplog.text


async def test_a_body_that_never_comes_costs_the_connection(place: Path) -> None:
    async with serving(place, Greeter(), limits=Limits(request_s=TINY_S)) as served:
        answer = await served.send(b"POST / HTTP/1.1\r\nHost: broker\r\nContent-Length: 10\r\n\r\nhalf")

        assert answer == b""
        assert await is_fine(served)


@pytest.mark.parametrize("beginning", [b"", b"GET / HT"])
async def test_after_an_answer_the_next_request_is_due(place: Path, beginning: bytes) -> None:
    async with serving(place, Greeter(), limits=Limits(request_s=TINY_S)) as served:
        reader, writer = await served.connect()
        writer.write(GET)
        assert await reader.readexactly(len(HELLO)) == HELLO
        writer.write(beginning)

        assert await everything(reader) == b""
        writer.close()


async def test_an_answer_may_take_longer_than_a_request(place: Path) -> None:
    slow = Slow()

    async with serving(place, slow, limits=Limits(request_s=TINY_S)) as served:
        patient = asyncio.create_task(served.send(GET_AND_CLOSE))
        await slow.asked.wait()
        await served.send(b"")  # came later, and its deadline has passed
        slow.go.set()

        assert (await patient).endswith(b"hello")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"\xff\xfe\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
)
async def test_garbage_costs_its_sender_the_connection(place: Path, garbage: bytes) -> None:
    greeter = Greeter()

    async with serving(place, greeter, limits=Limits(request_s=TINY_S)) as served:
        answer = await served.send(garbage)

        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
        assert await is_fine(served)
    assert len(greeter.peers) == 1


async def test_random_bytes_cost_nobody_else_anything(place: Path) -> None:
    source = iter(os.urandom(1) * (n % 50) + os.urandom(n % 300) + b"\r\n\r\n" for n in range(300))

    async with serving(place, Greeter(), limits=Limits(request_s=TINY_S)) as served:
        await asyncio.gather(*(served.send(garbage) for garbage in source))

        assert await is_fine(served)


@pytest.mark.parametrize("line", [b"X: " + b"x" * 65536, b"X: x\r\n" * 10000])
async def test_fifty_megabytes_of_header_are_not_read(place: Path, line: bytes) -> None:
    async with serving(place, Greeter()) as served:
        reader, writer = await served.connect()
        writer.write(b"GET / HTTP/1.1\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 50_000_000:
                writer.write(line)
                await writer.drain()
                sent += len(line)

        assert sent < 5_000_000
        assert (await everything(reader)).startswith((b"HTTP/1.1 400", b""))
        assert await is_fine(served)
        writer.close()


async def test_the_largest_body_is_read(place: Path) -> None:
    greeter = Greeter()

    async with serving(place, greeter) as served:
        await served.send(
            b"POST / HTTP/1.1\r\nHost: broker\r\nConnection: close\r\nContent-Length: 1024\r\n\r\n"
            + b"x" * 1024
        )

    assert greeter.bodies == [b"x" * 1024]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 1025", b"413"),
        (b"Content-Length: 99999999999999999999", b"413"),
        (b"Transfer-Encoding: chunked", b"400"),
        (b"Upgrade: websocket\r\nConnection: Upgrade", b"400"),
        (b"Upgrade: h2c", b"400"),
        (b"Content-Length: 1\r\nContent-Length: 2", b"400"),
        (b"Content-Length: -1", b"400"),
    ],
)
async def test_what_no_client_has_reason_to_send_is_refused(
    place: Path, headers: bytes, status: bytes
) -> None:
    greeter = Greeter()

    async with serving(place, greeter, limits=Limits(request_s=TINY_S)) as served:
        answer = await served.send(b"POST / HTTP/1.1\r\nHost: broker\r\n" + headers + b"\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 " + status)
        assert greeter.peers == []
        assert await is_fine(served)


async def test_who_pipelines_gets_one_answer(place: Path) -> None:
    greeter = Greeter()

    async with serving(place, greeter) as served:
        answer = await served.send(GET * 3)

    assert answer == HELLO
    assert len(greeter.peers) == 1


async def test_who_floods_behind_a_request_gets_none(place: Path) -> None:
    slow = Slow()

    async with serving(place, slow) as served:
        reader, writer = await served.connect()
        writer.write(GET)
        await slow.asked.wait()
        writer.write(b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 10000)

        assert await everything(reader) == b""
        slow.go.set()
        writer.close()


async def test_who_leaves_answers_unread_is_hung_up_on(place: Path) -> None:
    left = asyncio.Event()

    async def pour(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x" * 10_000_000, "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    async with serving(place, pour, limits=Limits(stall_s=TINY_S)) as served:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(served.path))
            client.sendall(GET)

            await left.wait()


async def test_who_reads_at_last_gets_everything(place: Path) -> None:
    go = asyncio.Event()

    async def pour(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        await go.wait()
        await send({"type": "http.response.body", "body": b"x" * 1_000_000})

    async with serving(place, pour, limits=Limits(stall_s=0.4, request_s=0.5)) as served:
        reading = asyncio.create_task(served.send(GET_AND_CLOSE))
        await served.send(b"")  # takes longer than anybody may leave an answer unread
        go.set()

        assert (await reading).count(b"x") == 2_000_000


async def test_an_error_in_the_application_is_a_500_for_its_caller_alone(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Scope, __: Receive, ___: Send) -> None:
        raise RuntimeError("a bug")

    async with serving(place, fail) as served:
        answers = [await served.send(GET_AND_CLOSE) for _ in range(2)]

    assert [answer.partition(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 500 Internal Server Error"] * 2
    assert "a bug" in caplog.text


async def test_a_flood_of_garbage_is_a_few_lines_of_log(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(place, Greeter()) as served:
        with caplog.at_level(logging.DEBUG):
            for _ in range(100):
                await served.send(b"\x00\r\n\r\n")

    complaints = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 0 < len(complaints) <= RECORDS


def test_a_users_broker_serves_that_user_and_root() -> None:
    us = os.geteuid()

    assert ours_or_root(Peer(us, 1, 1))
    assert ours_or_root(Peer(0, 0, 1))
    assert not ours_or_root(Peer(us + 1, 1, 1))
    assert not ours_or_root(Peer(UNMAPPED, UNMAPPED, 1))


def test_both_ends_know_each_other() -> None:
    ours = Peer(os.geteuid(), os.getegid(), os.getpid())

    left, right = socket.socketpair()

    with left, right:
        assert (peer_of(left), peer_of(right)) == (ours, ours)


def test_who_is_behind_tcp_is_not_known() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert peer_of(client) is None


def test_who_is_behind_a_closed_or_unconnected_socket_is_not_known() -> None:
    left, right = socket.socketpair()
    right.close()
    left.close()
    with socket.socket(socket.AF_UNIX) as lonely:
        assert (peer_of(left), peer_of(lonely)) == (None, None)


@pytest.mark.parametrize(
    ("pid", "uid", "known"),
    [(42, 1000, True), (42, 0, True), (0, 1000, False), (42, UNMAPPED, False), (-1, 1000, False)],
)
def test_who_has_no_number_here_is_not_known(pid: int, uid: int, known: bool) -> None:
    class Told(socket.socket):
        def getsockopt(self, *_: object) -> bytes:  # type: ignore[override] # the one call in question
            return struct.pack("iII", pid, uid, 1000)

    with Told(socket.AF_UNIX) as told:
        assert (peer_of(told) is not None) is known


def test_uvicorn_has_what_we_lean_on() -> None:
    """A canary: when this fails, read uvicorn's changes beside broker/server/http_protocol.py."""
    protocol = inspect.getsource(H11Protocol)
    cycle = inspect.getsource(RequestResponseCycle)

    for name in ("self.app ", "self.conn ", "self.cycle ", "self.loop ", "self.transport "):
        assert name in protocol
    for method in (
        "connection_made",
        "connection_lost",
        "handle_events",
        "pause_writing",
        "resume_writing",
        "_unsupported_upgrade_warning",
    ):
        assert callable(getattr(H11Protocol, method))
    assert "run_asgi(app)" in protocol
    assert "self.keep_alive" in cycle
    assert "self.handle_events()" in inspect.getsource(H11Protocol.on_response_complete)
    for part in ("connections", "tasks"):
        assert getattr(ServerState(), part) == set()
        assert f"self.{part} = server_state.{part}" in protocol
    assert callable(H11Protocol.shutdown)
    assert callable(uvicorn.Config.load)
    assert list(inspect.signature(H11Protocol).parameters)[:3] == ["config", "server_state", "app_state"]
    assert isinstance(h11.Connection.trailing_data, property)
