import asyncio
import contextlib
import logging
import os
import resource
import socket
from pathlib import Path

import pytest

from broker.server.acceptor import Acceptor
from broker.server.early_response import Accepted
from broker.server.limits import Limits
from broker.server.listen import take
from broker.server.listener_spec import ListenerSpec, any_peer
from broker.server.rate_limit import BURST
from tests.host.users import STRANGER, run_as, start_as, two_users
from tests.server.serving import GET, GET_AND_CLOSE, Crowd, Greeter, Slow, everything, serving, turns

SPEAK = """
import socket, sys
client = socket.socket(socket.AF_UNIX) if sys.argv[1:] else socket.socket(fileno=0)
if sys.argv[1:]:
    client.connect(sys.argv[1])
try:
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: broker\\r\\nConnection: close\\r\\n\\r\\n")
    answer = client.recv(1000)
except OSError:
    answer = b""
print(answer.partition(b"\\r\\n")[0].decode())
"""
"""Prints the first line of an answer: from the socket at a path, or from the one that is its stdin."""


class Alarm(logging.Filter):
    """Sets its event at the first record that has these words, and counts all of them."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.rang = asyncio.Event()
        self.count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if self.words in record.getMessage():
            self.rang.set()
            self.count += 1
        return True


def open_to_everybody(path: Path) -> None:
    """Undo both other layers, so that the peer's uid alone decides."""
    path.parent.chmod(0o755)
    path.chmod(0o666)


@two_users
async def test_another_user_is_refused_before_a_byte_is_read(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    greeter = Greeter()

    async with serving(place, greeter) as served:
        open_to_everybody(served.path)
        told = await asyncio.to_thread(run_as, STRANGER, SPEAK, str(served.path))

        assert told == ""
        assert greeter.peers == []
        assert f"refused_peer reason=user peer=Peer(uid={STRANGER}, gid={STRANGER}" in caplog.text
        assert (await served.send(GET_AND_CLOSE)).endswith(b"hello")


@two_users
async def test_a_shared_broker_admits_whom_it_chooses(place: Path) -> None:
    greeter = Greeter()

    async with serving(place, greeter, admits=lambda peer: peer.uid == STRANGER) as served:
        open_to_everybody(served.path)
        told = await asyncio.to_thread(run_as, STRANGER, SPEAK, str(served.path))

        assert told == "HTTP/1.1 200 OK"
        assert [peer["uid"] for peer in greeter.peers] == [STRANGER]
        assert await served.send(GET_AND_CLOSE) == b""


@two_users
async def test_a_connection_handed_to_another_user_is_still_its_makers(place: Path) -> None:
    greeter = Greeter()
    async with serving(place, greeter) as served:
        with socket.socket(socket.AF_UNIX) as ours:
            ours.connect(str(served.path))
            with start_as(STRANGER, SPEAK, stdin=ours.fileno()) as process:
                told, _ = await asyncio.to_thread(process.communicate, timeout=60)

    assert told.strip() == "HTTP/1.1 200 OK"
    assert [peer["uid"] for peer in greeter.peers] == [os.geteuid()]


async def test_a_policy_that_refuses_us_refuses_us(place: Path) -> None:
    async with serving(place, Greeter(), admits=lambda _: False) as served:
        assert await served.send(GET_AND_CLOSE) == b""


async def test_a_full_house_lets_everybody_in_by_and_by(place: Path) -> None:
    crowd = Crowd(enough=3)

    async with serving(place, crowd, limits=Limits(connections=3)) as served:
        asking = [asyncio.create_task(served.send(GET_AND_CLOSE)) for _ in range(40)]
        await crowd.is_enough.wait()
        await turns()
        crowd.go.set()
        answers = await asyncio.gather(*asking)

    assert all(answer.endswith(b"hello") for answer in answers)
    assert crowd.most == 3


async def test_a_doorway_may_hold_fewer_than_the_others(place: Path) -> None:
    crowd = Crowd(2)
    listener = take(place / "token-broker" / "broker.sock")

    async with serving(place / "own", crowd, limits=Limits(connections=100)) as served:
        await turns()  # a door that is opened before the others is forgotten
        served.server.open(ListenerSpec(listener.socket, connections=2))
        asking = [asyncio.create_task(answered(listener.path)) for _ in range(20)]
        await crowd.is_enough.wait()
        await turns()
        crowd.go.set()
        await asyncio.gather(*asking)
    listener.close()

    assert crowd.most == 2


async def answered(path: Path) -> bytes:
    """All that comes back to a question at this socket."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(GET_AND_CLOSE)
    said = await everything(reader)
    writer.close()
    return said


async def test_two_hundred_dawdlers_delay_a_caller_by_a_deadline_at_most(place: Path) -> None:
    async with serving(place, Greeter(), limits=Limits(connections=100, request_s=0.1)) as served:
        dawdlers = [asyncio.create_task(served.send(b"GET / HTTP/1.1\r\nHo")) for _ in range(200)]

        assert (await served.send(GET_AND_CLOSE)).endswith(b"hello")
        assert await asyncio.gather(*dawdlers) == [b""] * 200


async def test_a_thousand_callers_at_once_are_all_answered(place: Path) -> None:
    async with serving(place, Greeter(), limits=Limits(connections=50)) as served:
        answers = await asyncio.gather(*(served.send(GET_AND_CLOSE) for _ in range(1000)))

    assert sum(answer.endswith(b"hello") for answer in answers) == 1000


async def test_one_users_surplus_is_hung_up_on(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()

    async with serving(place, slow, limits=Limits(per_user=1)) as served:
        first = asyncio.create_task(served.send(GET_AND_CLOSE))
        await slow.asked.wait()

        assert await served.send(GET_AND_CLOSE) == b""

        slow.go.set()
        assert (await first).endswith(b"hello")
        assert (await served.send(GET_AND_CLOSE)).endswith(b"hello")
    assert "refused_peer reason=share" in caplog.text


@two_users
async def test_two_uids_of_one_account_have_one_share(place: Path) -> None:
    slow = Slow()
    listener = take(place / "own" / "broker.sock")
    open_to_everybody(listener.path)

    async with serving(place, slow, limits=Limits(per_user=1)) as served:
        first = asyncio.create_task(served.send(GET_AND_CLOSE))
        await slow.asked.wait()
        served.server.open(ListenerSpec(listener.socket, admits=any_peer, account_of=lambda _: 7))
        _, ours = await asyncio.open_unix_connection(listener.path)
        theirs = await asyncio.to_thread(run_as, STRANGER, SPEAK, str(listener.path))
        ours.close()
        slow.go.set()
        await first

    listener.close()
    assert theirs == ""


async def test_a_flood_is_said_once(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()

    async with serving(place, slow, limits=Limits(per_user=1)) as served:
        first = asyncio.create_task(served.send(GET_AND_CLOSE))
        await slow.asked.wait()
        for _ in range(3):
            await served.send(GET_AND_CLOSE)
        slow.go.set()
        await first

    assert caplog.text.count("refused_peer reason=share") == 1


async def test_who_hangs_up_and_comes_again_waits_for_a_turn_as_well(place: Path) -> None:
    greeter = Greeter()

    async with serving(place, greeter, limits=Limits(per_user=BURST + 2, per_user_s=0.001)) as served:
        for _ in range(BURST):
            await served.send(GET_AND_CLOSE)
        for _ in range(3):
            _, writer = await served.connect()
            writer.write(GET_AND_CLOSE)
            writer.close()
        await turns()

        assert len(greeter.peers) == BURST


async def test_the_next_request_of_a_connection_waits_for_its_turn(place: Path) -> None:
    greeter = Greeter()

    async with serving(place, greeter, limits=Limits(per_user_s=0.001)) as served:
        reader, writer = await served.connect()
        for _ in range(BURST):
            writer.write(GET)
            await reader.readuntil(b"hello")
        writer.write(GET)
        await turns()

        assert len(greeter.peers) == BURST
        writer.close()


async def test_a_doorway_with_a_pace_of_its_own_holds_nobody_up_at_another(place: Path) -> None:
    greeter = Greeter()
    second = take(place / "another" / "broker.sock")

    async with serving(place, greeter) as served:
        await served.send(GET_AND_CLOSE)
        served.server.open(ListenerSpec(second.socket, per_user_s=0.001))
        reader, writer = await asyncio.open_unix_connection(second.path)
        for _ in range(BURST):
            writer.write(GET)
            await reader.readuntil(b"hello")
        writer.write(GET)
        await served.send(GET_AND_CLOSE)
        await turns()
        writer.close()

        assert len(greeter.peers) == BURST + 2
    second.close()


async def test_without_descriptors_callers_wait_and_nobody_spins(place: Path) -> None:
    paused = Alarm("accept_paused")
    acceptor_log = logging.getLogger("broker.host.door")
    acceptor_log.addFilter(paused)
    async with serving(place, Greeter()) as served:
        await served.send(GET_AND_CLOSE)  # what the server still imports needs descriptors
        with contextlib.ExitStack() as stack:
            stack.callback(acceptor_log.removeFilter, paused)
            waiting = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(50)]
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            next_free = os.dup(0)
            os.close(next_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_free, hard))
            try:
                for client in waiting:
                    client.settimeout(0)
                    client.connect(str(served.path))
                    client.send(GET_AND_CLOSE)
                await paused.rang.wait()
                await turns()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

            loop = asyncio.get_running_loop()
            answers = await asyncio.gather(*(loop.sock_recv(client, 1000) for client in waiting))

    assert all(answer.endswith(b"hello") for answer in answers)
    assert paused.count == 1


async def test_a_stopped_server_lets_nobody_in_and_leaves_the_socket_open(place: Path) -> None:
    greeter = Greeter()

    async with serving(place, greeter) as served:
        await served.send(GET_AND_CLOSE)
        served.server.stop()
        await served.ended
        with socket.socket(socket.AF_UNIX) as late:
            late.connect(str(served.path))
            late.send(GET_AND_CLOSE)
            await turns()

    assert len(greeter.peers) == 1


async def test_a_caller_who_leaves_at_once_takes_no_place(place: Path) -> None:
    async with serving(place, Greeter(), limits=Limits(connections=1)) as served:
        for _ in range(50):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(served.path))

        assert (await served.send(GET_AND_CLOSE)).endswith(b"hello")


async def test_a_protocol_that_cannot_be_made_costs_one_connection(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Accepted, __: object) -> asyncio.Protocol:
        raise RuntimeError("a bug")

    listener = take(place / "token-broker" / "broker.sock")
    acceptor = Acceptor(listener.socket, Limits(connections=1), admits=lambda _: True, make_protocol=broken)
    for _ in range(3):
        reader, writer = await asyncio.open_unix_connection(listener.path)
        assert await reader.read() == b""
        writer.close()
    acceptor.close()
    await acceptor.wait_closed()
    listener.close()

    assert caplog.text.count("RuntimeError: a bug") == 3
